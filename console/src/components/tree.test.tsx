import { screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { http, HttpResponse } from "msw";
import { setupServer } from "msw/node";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { TreeNode } from "../api/client";
import { ALERT } from "../test/alert";
import { at } from "../test/render";
import { SHELL } from "../test/shell";

const node = (name: string, type: string, ...below: TreeNode[]): TreeNode => ({
  name,
  type,
  events_count: 1,
  metadata: {},
  children: Object.fromEntries(below.map((child) => [child.name, child])),
});

const TREE = node(
  "root",
  "root",
  node(
    "process_branch",
    "branch",
    node(
      "execve",
      "process_operation",
      node("nginx", "process_name", node("-g", "cmd_argument")),
      node("sh", "process_name", node("<script>", "cmd_argument")),
    ),
  ),
);

let decided = "";
const service = setupServer(
  http.get("*/api/hbt/:id", () => HttpResponse.json(TREE)),
  http.get("*/api/hbt/:id/history", () =>
    HttpResponse.json({
      identity: "web@vm",
      snapshots: [
        { time: "2026-11-22T09:20:00Z", nodes: 9, events: 9, bytes: 9 },
        { time: "2026-11-22T09:10:00Z", nodes: 5, events: 5, bytes: 5 },
      ],
    }),
  ),
  http.get("*/api/hbt/:id/diff", ({ request }) => {
    const from = new URL(request.url).searchParams.get("from");
    const added = [{ pointer: "/file_branch/open/a~1b", type: "x", events_count: 2, nodes: 3 }];
    return HttpResponse.json({ identity: "", from, to: null, added, removed: [], left_out: 7 });
  }),
  http.get("*/api/hbt/:id/quarantine", () =>
    HttpResponse.json({
      identity: "web@vm",
      quarantine: [
        {
          id: "k1",
          rule: "danger.shell",
          what: "sh on a terminal",
          seconds: 2,
          accepted: decided === "accept",
          rejected: false,
          by: decided ? "operator" : "",
        },
      ],
    }),
  ),
  http.post("*/api/hbt/:id/quarantine/:item/:word", ({ params }) => {
    decided = String(params.word);
    return HttpResponse.json({ dry_run: false });
  }),
  http.get("*/api/alerts", () => {
    const lineage = [{ name: "sh", executable: "", command_line: "sh", pid: null }];
    return HttpResponse.json({ alerts: [{ ...ALERT, lineage }], next_cursor: null });
  }),
  ...SHELL,
);

beforeAll(() => service.listen({ onUnhandledRequest: "error" }));
afterEach(() => {
  decided = "";
});
afterAll(() => service.close());

const names = () => screen.getAllByRole("treeitem").map((item) => item.textContent);

test("an outline is opened by keys, and a chosen node says what it is", async () => {
  await at("/trees/web%40vm");
  const tree = await screen.findByRole("tree");
  expect(names()).toHaveLength(3);
  tree.focus();
  await userEvent.keyboard("{End}{ArrowRight}");
  expect(names()).toHaveLength(5);
  await userEvent.keyboard("{ArrowDown}{Enter}");
  const panel = await screen.findByRole("complementary", { name: "Node" });
  expect(panel).toHaveTextContent("/process_branch/execve/nginx");
  await userEvent.keyboard("{ArrowLeft}{ArrowLeft}");
  expect(names()).toHaveLength(3);
});

test("a search stands in the address and shows text as text", async () => {
  const router = await at("/trees/web%40vm?node=%3Cscript");
  await screen.findByText("<script>");
  expect(names()).toHaveLength(5);
  await userEvent.clear(screen.getByRole("searchbox"));
  expect(router.state.location.search).toBe("");
});

test("only deviations are the programs with open alerts", async () => {
  await at("/trees/web%40vm?only=deviations");
  await screen.findByText("1 open");
  expect(screen.queryByText("nginx")).toBeNull();
  expect(screen.getByText("sh")).toBeInTheDocument();
});

test("differences begin at the oldest snapshot, and say what they leave out", async () => {
  await at("/trees/web%40vm?view=diff");
  expect(await screen.findByText("file_branch › open › a/b")).toBeInTheDocument();
  expect(screen.getByText("7 more differences are not listed.")).toBeInTheDocument();
});

test("what waits in quarantine is decided once", async () => {
  await at("/trees/web%40vm?view=quarantine");
  await userEvent.click(await screen.findByRole("button", { name: "Accept" }));
  await waitFor(() => expect(screen.getByText("accepted by operator")).toBeInTheDocument());
  expect(screen.queryByRole("button", { name: "Reject" })).toBeNull();
});
