import { act, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { http, HttpResponse } from "msw";
import { setupServer } from "msw/node";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { Alert } from "../api/client";
import { alerts as live } from "../live/store";
import { ALERT } from "../test/alert";
import { at } from "../test/render";
import { SHELL } from "../test/shell";

const asked: string[] = [];
let listed: Alert[] = [ALERT];

const service = setupServer(
  http.get("*/api/alerts", ({ request }) => {
    asked.push(new URL(request.url).search);
    return HttpResponse.json({ alerts: listed, next_cursor: null });
  }),
  http.get("*/api/alerts/:id", ({ params }) => HttpResponse.json({ ...ALERT, id: params.id })),
  http.post("*/api/alerts/:id/:action", async ({ params, request }) => {
    asked.push(`${String(params.action)} ${await request.text()}`);
    const alert = { ...ALERT, state: "acknowledged" };
    return HttpResponse.json({ dry_run: false, alerts: 1, alert });
  }),
  http.get("*/api/containers/:id", () =>
    HttpResponse.json({ title: "Not found", detail: "gone" }, { status: 404 }),
  ),
  ...SHELL,
);

beforeAll(() => service.listen({ onUnhandledRequest: "error" }));
afterEach(() => {
  service.resetHandlers();
  asked.length = 0;
  listed = [ALERT];
});
afterAll(() => service.close());

test("the address is the filter, and an alert says why it was raised", async () => {
  await at("/alerts?priority=Warning&q=shell&id=a1");
  const panel = await screen.findByRole("complementary", { name: "Alert" });
  expect(await within(panel).findByText("they part here")).toBeInTheDocument();
  // What an attacker wrote is text.
  expect(within(panel).getByText("/bin/sh -c <b>id</b>")).toBeInTheDocument();
  expect(within(panel).getByText(/similarity 0.30, accepted from 0.80/)).toBeInTheDocument();
  expect(asked[0]).toContain("priority=Warning");
  expect(asked[0]).toContain("q=shell");
  expect(asked[0]).toContain("state=open");
});

test("one is opened, acknowledged and closed by keys alone", async () => {
  const router = await at("/alerts");
  await screen.findByText("nginx started a shell");
  await userEvent.keyboard("j");
  expect(router.state.location.search).toBe("?id=a1");
  await screen.findByRole("button", { name: "Acknowledge" });
  await userEvent.keyboard("a");
  await waitFor(() => expect(asked).toContain("ack {}"));
  // It stays where it is until the list is asked for anew.
  expect(await screen.findByText(/· Acknowledged/)).toBeInTheDocument();
  await userEvent.keyboard("{Escape}");
  expect(router.state.location.search).toBe("");
});

test("what arrives while somebody works in the list waits to be asked for", async () => {
  await at("/alerts");
  const row = await screen.findByText("nginx started a shell");
  screen.getByRole("grid").focus();
  const newer: Alert = { ...ALERT, id: "a2", summary: { en: "a miner", zh: "挖矿" } };
  listed = [newer, ALERT];
  act(() => {
    live.tell({ ...newer, state: "resolved", id: "a3" });
    live.tell(newer);
    live.tell(newer);
  });
  const pill = await screen.findByRole("button", { name: "1 new alert" });
  expect(screen.queryByText("a miner")).toBeNull();
  expect(row).toBeInTheDocument();
  await userEvent.click(pill);
  expect(await screen.findByText("a miner")).toBeInTheDocument();
  expect(screen.queryByRole("button", { name: "1 new alert" })).toBeNull();
});

test("a refusal is shown in the service's words", async () => {
  service.use(
    http.get("*/api/alerts", () =>
      HttpResponse.json(
        { title: "A parameter is wrong", detail: "`priority` cannot be `x`", status: 400 },
        { status: 400 },
      ),
    ),
  );
  await at("/alerts?priority=x");
  const failed = await screen.findByRole("alert");
  expect(failed).toHaveTextContent("A parameter is wrong`priority` cannot be `x` HTTP 400");
});

test("a path that is no page says so", async () => {
  await at("/nothing/here");
  expect(await screen.findByRole("heading", { name: "There is no such page" })).toBeInTheDocument();
});
