import { screen, within } from "@testing-library/react";
import { http, HttpResponse } from "msw";
import { setupServer } from "msw/node";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { ALERT } from "../test/alert";
import { at } from "../test/render";
import { SHELL } from "../test/shell";

// A canvas needs a browser; the end-to-end tests have one.
vi.mock("../components/trend", () => ({ default: () => <div>trend</div> }));

const totals = { received: 0, modelled: 0, pending: 0, ignored: {}, rejected: {}, dropped: {} };
const OVERVIEW = {
  generated: "2026-11-22T09:20:00Z",
  events: {
    window: "1h",
    start: null,
    end: null,
    covered_seconds: 0,
    events: 0,
    events_per_second: 0,
    by_category: { file: 12 },
    by_priority: {},
    point_seconds: 10,
    series: [],
    top_rules: [],
    top_containers: [
      { name: "web", events: 9 },
      { name: "_other_", events: 3 },
    ],
  },
  alerts: {
    open: 5,
    open_by_priority: { Critical: 2, Notice: 3 },
    open_by_rule: { "hbt.new_process": 5 },
    window: null,
  },
  containers: { total: 4, by_phase: { learning: 1, detecting: 3 }, events_per_second: 1234.5 },
  totals,
  lost: 3,
  sources: [],
};

let received = 0;
const service = setupServer(
  http.get("*/api/overview", () =>
    HttpResponse.json({ ...OVERVIEW, totals: { ...totals, received } }),
  ),
  http.get("*/api/alerts", () => HttpResponse.json({ alerts: [ALERT], next_cursor: null })),
  http.get("*/api/containers", () =>
    HttpResponse.json({ generated: null, total: 2, containers: [], next_cursor: null }),
  ),
  ...SHELL,
);

beforeAll(() => service.listen({ onUnhandledRequest: "error" }));
afterAll(() => service.close());

test("before the first event it says what to type", async () => {
  await at("/");
  expect(await screen.findByRole("heading", { name: "Ready for events" })).toBeInTheDocument();
  expect(screen.getByText(/hanabi send .* --to http:\/\/localhost/)).toBeInTheDocument();
});

test("every figure is a link to what it counts", async () => {
  received = 100;
  await at("/");
  const main = within(await screen.findByRole("main"));
  const target = async (name: RegExp) =>
    (await main.findByRole("link", { name })).getAttribute("href");
  expect(await target(/^Open alerts\s*5\s*2 critical/)).toBe("/alerts?priority=Critical");
  expect(await target(/^Drifted containers\s*2/)).toBe("/containers?priority=Warning");
  expect(await target(/^Watched containers\s*4\s*1 learning/)).toBe("/containers");
  expect(await target(/1,235\s*3 lines lost/)).toBe("/system");
  expect(await target(/^Critical\s*2/)).toBe("/alerts?priority=Critical");
  expect(await target(/hbt.new_process/)).toBe("/alerts?rule=hbt.new_process");
  expect(await target(/^web/)).toBe("/containers?q=web");
  expect(await target(/nginx started a shell/)).toBe("/alerts?id=a1");
});
