import { describe, expect, test } from "vitest";
import type { TreeNode } from "../api/client";
import { ALERT } from "../test/alert";
import { type Branch, type Heat, find, grow, heat, leaves } from "./subtree";

const node = (
  name: string,
  type: string,
  events_count: number,
  ...below: TreeNode[]
): TreeNode => ({
  name,
  type,
  events_count,
  metadata: {},
  children: Object.fromEntries(below.map((child) => [child.name, child])),
});
const program = (name: string, events: number, ...below: TreeNode[]) =>
  node(name, "process_name", events, ...below);
const file = (name: string, events: number, ...below: TreeNode[]) =>
  node(name, "file_path", events, ...below);

const TREE = node(
  "root",
  "root",
  100,
  node(
    "file_branch",
    "branch",
    90,
    node(
      "open",
      "file_operation",
      60,
      program("redis", 60, file("var", 50, file("log", 5), file("a/b~c", 45))),
    ),
    node("close", "file_operation", 30, program("redis", 20, file("etc", 20)), program("sh", 10)),
  ),
  node("process_branch", "branch", 10, node("execve", "process_operation", 10, program("sh", 10))),
);

const about = (id: string, learned: string[], name?: string) => ({
  id,
  path: { ...ALERT.path, learned },
  lineage: name === undefined ? [] : [{ name, executable: "", command_line: "", pid: null }],
});

describe("heat", () => {
  test("is where the learned path goes furthest, and above it", () => {
    const heats = heat(TREE, [
      about("1", ["redis", "var", "log"], "redis"),
      about("2", ["redis"], "redis"),
    ]);
    expect(heats.get("/file_branch/open/redis/var/log")?.all).toBe(1);
    expect(heats.get("/file_branch/open/redis")?.all).toBe(2);
    expect(heats.get("/file_branch/open/redis")?.own).toBe(1);
    expect(heats.get("/file_branch/open")?.own).toBe(0);
    // The path is not below the other call; the program alone is.
    expect(heats.get("/file_branch/close/redis")?.all).toBe(1);
    expect(heats.get("")?.all).toBe(2);
    expect(heats.get("/process_branch")).toBeUndefined();
  });

  test("counts an alert once above, however often its program is below", () => {
    const heats = heat(TREE, [about("1", [], "sh")]);
    expect(heats.get("/file_branch/close/sh")?.all).toBe(1);
    expect(heats.get("/process_branch/execve/sh")?.all).toBe(1);
    expect(heats.get("")?.all).toBe(1);
  });

  test.each([
    [
      "without a lineage the learned path names the program",
      about("1", ["sh"]),
      "/process_branch/execve/sh",
    ],
    ["a program that is not in the tree is news of all of it", about("1", [], "xmrig"), ""],
  ])("%s", (_, alert, pointer) => {
    expect(heat(TREE, [alert]).get(pointer)?.all).toBe(1);
  });
});

describe("find", () => {
  test("gives the way to a node, also through names with marks of pointers", () => {
    const trail = find(TREE, "/file_branch/open/redis/var/a~1b~0c");
    expect(trail?.map((one) => one.node.name)).toEqual([
      "root",
      "file_branch",
      "open",
      "redis",
      "var",
      "a/b~c",
    ]);
    expect(trail?.at(-1)?.pointer).toBe("/file_branch/open/redis/var/a~1b~0c");
    expect(find(TREE, "")?.map((one) => one.node.name)).toEqual(["root"]);
  });

  test.each(["/nothing", "/file_branch/open/x", "nonsense/open"])("%j is nowhere", (pointer) => {
    expect(find(TREE, pointer)).toBeNull();
  });
});

const drawn = (branch: Branch): string =>
  branch.name +
  (branch.hidden > 0 ? `+${branch.hidden}` : "") +
  (branch.children.length > 0 ? `(${branch.children.map(drawn).join(" ")})` : "");

describe("grow", () => {
  const COLD: Heat = new Map();
  const deep = { leaves: 100, depth: 100, children: 200 };

  test("draws all where there is room, the most used first", () => {
    const all = grow(TREE, "", COLD, deep);
    expect(drawn(all)).toBe(
      "root(file_branch(open(redis(var(a/b~c log))) close(redis(etc) sh)) process_branch(execve(sh)))",
    );
    expect(leaves(all)).toBe(5);
  });

  test("says how much is left out, by depth and by room", () => {
    expect(drawn(grow(TREE, "", COLD, { leaves: 100, depth: 1, children: 200 }))).toBe(
      "root(file_branch+2 process_branch+1)",
    );
    const few = grow(TREE, "", COLD, { leaves: 2, depth: 100, children: 200 });
    expect(leaves(few)).toBeLessThanOrEqual(2);
    expect(drawn(few)).toContain("file_branch");
  });

  test("goes down to alerts before it goes anywhere else", () => {
    const heats = heat(TREE, [about("1", ["redis", "var", "log"], "redis")]);
    const few = grow(TREE, "", heats, { leaves: 4, depth: 100, children: 200 });
    expect(drawn(few)).toContain("log");
    expect(leaves(few)).toBeLessThanOrEqual(4);
  });

  test("stays within its room in a wide tree", () => {
    const wide = node(
      "root",
      "root",
      1,
      ...Array.from({ length: 5000 }, (_, i) => file(`f${i}`, i)),
    );
    const some = grow(wide, "", COLD, { leaves: 120, depth: 12, children: 200 });
    expect([leaves(some), some.hidden]).toEqual([120, 4880]);
    expect(some.children[0]?.name).toBe("f4999");
  });

  test("leaves siblings out where a node has many", () => {
    const some = grow(TREE, "", COLD, { leaves: 100, depth: 100, children: 1 });
    expect(drawn(some)).toBe("root+1(file_branch+1(open(redis(var+1(a/b~c)))))");
  });
});
