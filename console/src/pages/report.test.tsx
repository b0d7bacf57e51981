import { screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { http, HttpResponse } from "msw";
import { setupServer } from "msw/node";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { at } from "../test/render";
import { SHELL } from "../test/shell";

const asked: URLSearchParams[] = [];
const service = setupServer(
  http.get("*/api/export/report", ({ request }) => {
    asked.push(new URL(request.url).searchParams);
    const text =
      "# Hanabi: report\n\n- Alerts: 3\n\n| What | Count |\n| --- | ---: |\n| `<img src=x>` | 3 |\n";
    return new HttpResponse(text, { headers: { "content-type": "text/markdown" } });
  }),
  ...SHELL,
);

beforeAll(() => service.listen({ onUnhandledRequest: "error" }));
afterAll(() => service.close());

test("a period is read, printed, and stands in the address", async () => {
  const print = vi.spyOn(window, "print").mockImplementation(() => undefined);
  const router = await at("/report?hours=168");
  expect(await screen.findByRole("heading", { name: "Hanabi: report" })).toBeInTheDocument();
  // What an attacker wrote is text.
  expect(screen.getByRole("cell", { name: "<img src=x>" })).toBeInTheDocument();
  const start = Date.parse(asked[0]?.get("start") ?? "");
  expect(Math.round((Date.now() - start) / 3_600_000)).toBe(168);
  await userEvent.click(screen.getByRole("button", { name: "Print" }));
  expect(print).toHaveBeenCalledOnce();
  await userEvent.click(screen.getByRole("button", { name: "30 days" }));
  expect(router.state.location.search).toBe("?hours=720");
});
