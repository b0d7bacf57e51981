import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { http, HttpResponse } from "msw";
import { setupServer } from "msw/node";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { Container, Incident, LogRow } from "../api/client";
import { events } from "../live/store";
import { ALERT } from "../test/alert";
import { at } from "../test/render";
import { SHELL } from "../test/shell";
import { useViews } from "../lib/views";

const container = (name: string, open: Record<string, number>, waiting: string[] = []): Container =>
  ({
    id: `${name}-id`,
    short_id: name,
    name,
    image: "shop/x:1",
    namespace: "",
    host: "vm",
    identity: `vm:${name}`,
    phase: waiting.length > 0 ? "learning" : "detecting",
    learning: { progress: 40.6, waiting_for: waiting, partial: false, branches: [] },
    events_per_second: 2,
    last_event: "2026-11-22T09:20:00Z",
    open_alerts: open,
  }) as unknown as Container;

const CONTAINERS = [
  container("calm", {}),
  container("young", {}, ["novelty:file", "min_time"]),
  container("hit", { Critical: 2, Notice: 1 }),
];
const INCIDENT = {
  id: "i1",
  priority: "Critical",
  summary: { en: "a story", zh: "事件" },
  container: ALERT.container,
  alerts_total: 3,
  count: 9,
  first_seen: "2026-11-22T09:19:00Z",
  last_seen: "2026-11-22T09:20:00Z",
} as unknown as Incident;

const row = (object: string, second: number): LogRow => ({
  time: `2026-11-22T09:20:${String(second).padStart(2, "0")}Z`,
  container_id: "hit-id",
  container_name: "hit",
  identity: "vm:hit",
  host: "vm",
  category: "file",
  priority: "Notice",
  rule: "file",
  call: "openat",
  process: "nginx",
  command_line: "nginx",
  object,
  outcome: "ok",
  count: 1,
  deviation: null,
  raw: null,
});

const asked: string[] = [];
const service = setupServer(
  http.get("*/api/containers", ({ request }) => {
    asked.push(new URL(request.url).search);
    return HttpResponse.json({
      generated: null,
      total: 3,
      containers: CONTAINERS,
      next_cursor: null,
    });
  }),
  http.get("*/api/containers/:id", () =>
    HttpResponse.json({ container: CONTAINERS[2], profile: null }),
  ),
  http.get("*/api/containers/:id/logs", ({ request }) => {
    const cursor = new URL(request.url).searchParams.get("cursor");
    const rows = cursor ? [row("/b", 2), row("/a", 1)] : [row("/d", 4), row("/c", 3)];
    return HttpResponse.json({
      events: rows,
      next_cursor: cursor ? null : "c1",
      scanned_until: null,
    });
  }),
  http.get("*/api/incidents", ({ request }) => {
    asked.push(new URL(request.url).search);
    return HttpResponse.json({ incidents: [INCIDENT], next_cursor: null });
  }),
  ...SHELL,
);

beforeAll(() => service.listen({ onUnhandledRequest: "error" }));
afterEach(() => {
  asked.length = 0;
  useViews.setState({ views: [] });
});
afterAll(() => service.close());

const titles = () =>
  within(screen.getByRole("grid"))
    .getAllByRole("row")
    .slice(1)
    .map((one) => within(one).getByRole("link").textContent);

test("containers that need somebody come first, and learning says what it waits for", async () => {
  await at("/containers?q=shop&priority=Notice");
  await screen.findByRole("link", { name: "hit" });
  expect(titles()).toEqual(["hit", "calm", "young"]);
  expect(asked[0]).toBe("?q=shop&priority=Notice");
  expect(screen.getByText("still new: files, more time")).toBeInTheDocument();
  expect(screen.getAllByText("40 %")).toHaveLength(3);
});

test("filters are saved under a name, gone back to and forgotten", async () => {
  const router = await at("/containers?q=shop");
  await screen.findByRole("link", { name: "hit" });
  const name = screen.getByLabelText("Name of these filters");
  await userEvent.type(name, "the shop{Enter}");
  await router.navigate("/containers");
  await userEvent.click(await screen.findByRole("link", { name: "the shop" }));
  expect(router.state.location.search).toBe("?q=shop");
  await userEvent.click(screen.getByRole("button", { name: "Delete the view the shop" }));
  expect(screen.queryByRole("link", { name: "the shop" })).toBeNull();
});

test("an incident is a row that leads to its story", async () => {
  const router = await at("/incidents?priority=Error");
  await userEvent.click(await screen.findByText("web"));
  await waitFor(() => expect(router.state.location.pathname).toBe("/incidents/i1"));
  expect(asked[0]).toContain("priority=Error");
});

test("a log goes back when asked, and what comes goes to its end", async () => {
  await at("/containers/hit/logs?tree=off");
  const objects = () =>
    screen
      .queryAllByText(/^\/[a-e]$/)
      .map((one) => one.textContent)
      .join(" ");
  await screen.findByText("/d");
  expect(objects()).toBe("/c /d");
  await userEvent.click(screen.getByRole("button", { name: "Older events" }));
  await waitFor(() => expect(objects()).toBe("/a /b /c /d"));
  expect(screen.queryByRole("button", { name: "Older events" })).toBeNull();
  events.tell({ events: [row("/e", 5)], skipped: 7 });
  await waitFor(() => expect(objects()).toBe("/a /b /c /d /e"));
  expect(screen.getByText(/7 events were too many to show live/)).toBeInTheDocument();
  // Who went back reads, and is told what came.
  expect(screen.getByRole("button", { name: "↓ 1 new events" })).toBeInTheDocument();
});

test("another container is gone to by what was copied", async () => {
  const router = await at("/containers/hit/logs?tree=off");
  await userEvent.type(await screen.findByLabelText("Container id or name"), "abc/def{Enter}");
  expect(router.state.location.pathname).toBe("/containers/abc%2Fdef/logs");
});
