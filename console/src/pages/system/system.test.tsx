import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { http, HttpResponse } from "msw";
import { setupServer } from "msw/node";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { useSession } from "../../api/session";
import { at } from "../../test/render";
import { SHELL } from "../../test/shell";
import { order, patterns } from "./new-token";

const SECRET = "hnb_secret";
const token = (name: string, active = true) => ({
  id: `id-${name}`,
  name,
  role: "viewer",
  created_by: "admin",
  scope: { namespaces: ["shop"], containers: [] as string[] },
  created: "2026-11-22T09:20:00Z",
  expires: null,
  last_used: null,
  active,
});
let tokens = [token("ci")];
const asked: string[] = [];

const service = setupServer(
  http.get("*/api/tokens", () => HttpResponse.json({ tokens })),
  http.post("*/api/tokens", async ({ request }) => {
    asked.push(await request.text());
    const made = token("new");
    tokens = [made, ...tokens];
    return HttpResponse.json({ ...made, token: SECRET });
  }),
  http.delete("*/api/tokens/:id", ({ params }) => {
    tokens = tokens.map((one) => (one.id === params.id ? { ...one, active: false } : one));
    return HttpResponse.json({ id: params.id, revoked: true });
  }),
  http.get("*/api/audit", ({ request }) => {
    const cursor = new URL(request.url).searchParams.get("cursor");
    asked.push(`audit ${cursor ?? "first"}`);
    const entry = {
      sequence: cursor ? 1 : 2,
      at: "2026-11-22T09:20:00Z",
      by: "ann",
      action: cursor ? "older" : "newer",
      object: "<b>x</b>",
      outcome: "ok",
    };
    return HttpResponse.json({ audit: [entry], next_cursor: cursor ? null : "c1" });
  }),
  http.get("*/api/config", () =>
    HttpResponse.json({
      "server.listen": { value: "127.0.0.1:8000", origin: "default" },
      "learn.warmup": { value: "30s", origin: "--set" },
      "sources.list": { value: ["stdin"], origin: "HANABI_SOURCES_LIST" },
    }),
  ),
  http.get("*/api/suppressions", () => HttpResponse.json({ suppressions: [] })),
  http.get("*/api/maintenance", () => HttpResponse.json({ maintenance: [] })),
  ...SHELL,
);

beforeAll(() => service.listen({ onUnhandledRequest: "error" }));
afterEach(() => {
  service.resetHandlers();
  asked.length = 0;
  tokens = [token("ci")];
  useSession.setState({ me: null });
});
afterAll(() => service.close());

test.each([
  ["", []],
  ["web-*, db  cache", ["web-*", "db", "cache"]],
  [" , ", []],
])("%j are the patterns %j", (text, expected) => {
  expect(patterns(text)).toEqual(expected);
});

test("what is not filled in is not asked for", () => {
  const form = { name: " ci ", role: "ingest" as const, namespaces: "", containers: "", life: 0 };
  expect(order(form)).toEqual({ name: "ci", role: "ingest" });
  expect(order({ ...form, containers: "web", life: 60 })).toEqual({
    name: "ci",
    role: "ingest",
    scope: { namespaces: [], containers: ["web"] },
    expires_in: 60,
  });
});

test("a token is made with its role, scope and expiry, and shown this once", async () => {
  await at("/system?part=tokens");
  await userEvent.click(await screen.findByRole("button", { name: "New token" }));
  const dialog = screen.getByRole("dialog", { name: "New token" });
  await userEvent.type(within(dialog).getByLabelText("Name"), "build");
  await userEvent.selectOptions(within(dialog).getByLabelText("Role"), "analyst");
  await userEvent.selectOptions(within(dialog).getByLabelText("Until"), "7 days");
  await userEvent.type(within(dialog).getByLabelText("Containers"), "web-*");
  await userEvent.click(within(dialog).getByRole("button", { name: "Make the token" }));
  expect(await screen.findByText(SECRET)).toBeInTheDocument();
  expect(JSON.parse(asked[0] ?? "")).toEqual({
    name: "build",
    role: "analyst",
    scope: { namespaces: [], containers: ["web-*"] },
    expires_in: 604_800,
  });
  await userEvent.click(screen.getByRole("button", { name: "Close" }));
  expect(screen.queryByText(SECRET)).toBeNull();
  expect(await screen.findByRole("cell", { name: "new" })).toBeInTheDocument();
});

test("a refusal leaves the form as it is", async () => {
  service.use(
    http.post("*/api/tokens", () =>
      HttpResponse.json({ title: "The body is wrong", detail: "`name` is taken" }, { status: 400 }),
    ),
  );
  await at("/system?part=tokens");
  await userEvent.click(await screen.findByRole("button", { name: "New token" }));
  await userEvent.type(screen.getByLabelText("Name"), "ci");
  await userEvent.click(screen.getByRole("button", { name: "Make the token" }));
  expect(await screen.findByRole("alert")).toHaveTextContent("The body is wrong`name` is taken");
  expect(screen.getByLabelText("Name")).toHaveValue("ci");
});

test("a token is revoked, and stays in the list as ended", async () => {
  await at("/system?part=tokens");
  await userEvent.click(await screen.findByRole("button", { name: "Revoke" }));
  expect(await screen.findByText("ended")).toBeInTheDocument();
  expect(screen.queryByRole("button", { name: "Revoke" })).toBeNull();
});

test("the audit is read back page by page, and shows text as text", async () => {
  await at("/system?part=audit");
  expect(await screen.findByText("older")).toBeInTheDocument();
  expect(asked).toEqual(["audit first", "audit c1"]);
  expect(screen.getAllByText("<b>x</b>")).toHaveLength(2);
});

test("the configuration tells what was set from what is by default", async () => {
  await at("/system?part=config");
  await screen.findByText("127.0.0.1:8000");
  await userEvent.click(screen.getByRole("button", { name: "Only what was set" }));
  await waitFor(() => expect(screen.queryByText("127.0.0.1:8000")).toBeNull());
  expect(screen.getByText('["stdin"]')).toBeInTheDocument();
  await userEvent.type(screen.getByRole("searchbox"), "warm");
  await waitFor(() => expect(screen.queryByText('["stdin"]')).toBeNull());
  expect(screen.getByText("30s")).toBeInTheDocument();
});

test("who may not see a part is not offered it, and told so by its address", async () => {
  const me = {
    name: "vic",
    role: "viewer",
    kind: "token",
    scope: { namespaces: [], containers: [] },
    authentication: "required" as const,
    csrf: null,
    allowed: ["GET /api/suppressions", "GET /api/maintenance"],
  };
  useSession.setState({ me });
  const router = await at("/system");
  expect(await screen.findByText("No suppressions")).toBeInTheDocument();
  const tabs = within(screen.getByRole("group", { name: "System" })).getAllByRole("button");
  expect(tabs.map((tab) => tab.textContent)).toEqual(["Suppressions", "Maintenance windows"]);
  await router.navigate("/system?part=tokens");
  expect(await screen.findByText("Not for this role")).toBeInTheDocument();
});

test("without dashboards the page says how to have some", async () => {
  await at("/dashboards");
  expect(await screen.findByText(/grafana_url = /)).toBeInTheDocument();
  expect(document.querySelector("iframe")).toBeNull();
});

test("a dashboard is a frame of its own, chosen by the address", async () => {
  const dashboards = ["A", "B"].map((name) => ({ name, url: `https://grafana.example/d/${name}` }));
  service.use(http.get("*/api/dashboards", () => HttpResponse.json({ dashboards })));
  await at("/dashboards?name=B");
  const frame = await screen.findByTitle("B");
  expect(frame).toHaveAttribute("src", "https://grafana.example/d/B");
  expect(frame.getAttribute("sandbox")).not.toContain("top-navigation");
  await userEvent.click(screen.getByRole("button", { name: "A" }));
  expect(await screen.findByTitle("A")).toBeInTheDocument();
});
