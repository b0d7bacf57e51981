import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { http, HttpResponse } from "msw";
import { setupServer } from "msw/node";
import { afterAll, beforeAll, expect, test } from "vitest";
import { whoAmI } from "../api/session";
import { App } from "../app";
import { speak } from "../i18n";

const TOKEN = "hnb_right";
let session = false;
const csrf: (string | null)[] = [];

const refused = () =>
  HttpResponse.json({ title: "Who is it?", status: 401, detail: "" }, { status: 401 });

const service = setupServer(
  http.get("*/api/me", () =>
    session
      ? HttpResponse.json({ name: "ann", role: "analyst", csrf: "word", allowed: [] })
      : refused(),
  ),
  http.post("*/api/login", async ({ request }) => {
    const given = (await request.json()) as { token: string };
    session = given.token === TOKEN;
    return session ? HttpResponse.json({}) : refused();
  }),
  http.post("*/api/logout", ({ request }) => {
    csrf.push(request.headers.get("x-csrf-token"));
    session = false;
    return HttpResponse.json({ ended: true });
  }),
  http.get("*", () => (session ? HttpResponse.json({}, { status: 503 }) : refused())),
);

beforeAll(() => service.listen({ onUnhandledRequest: "error" }));
afterAll(() => service.close());

test("who is not known logs in with a token, and out again", async () => {
  await speak("en");
  await whoAmI();
  const user = userEvent.setup();
  render(<App />);
  const field = await screen.findByLabelText("Token");
  expect(screen.queryByRole("navigation")).not.toBeInTheDocument();
  await user.type(field, "hnb_wrong{Enter}");
  expect(await screen.findByRole("alert")).toHaveTextContent("The token is not taken.");
  await user.type(field, `${TOKEN}{Enter}`);
  expect(await screen.findByRole("navigation", { name: "Pages" })).toBeInTheDocument();
  await user.click(screen.getByRole("button", { name: "Log out ann" }));
  expect(await screen.findByLabelText("Token")).toHaveValue("");
  expect(csrf).toEqual(["word"]);
});
