import { expect, test } from "vitest";
import type { TreeNode } from "../api/client";
import { closed, outline } from "./outline";

const node = (name: string, events_count: number, ...below: TreeNode[]): TreeNode => ({
  name,
  type: "",
  events_count,
  metadata: {},
  children: Object.fromEntries(below.map((child) => [child.name, child])),
});

const TREE = node(
  "root",
  9,
  node("file", 4, node("open", 4, node("nginx", 4, node("/etc/a~b", 4)))),
  node("process", 5, node("execve", 5, node("sh", 2), node("nginx", 3))),
);

const drawn = (turned: string[], needle = "") =>
  outline(TREE, new Set(turned), needle ? (one) => one.name.includes(needle) : null)
    .map(
      (line) =>
        `${"-".repeat(line.depth)}${line.node.name}${line.hit ? "!" : ""}${line.open === false ? "+" : ""}`,
    )
    .join(" ");

test.each<[string[], string, string]>([
  [[], "", "root -process --execve+ -file --open+"],
  [["/process/execve"], "", "root -process --execve ---nginx ---sh -file --open+"],
  [["/process", ""], "", "root+"],
  [[], "sh", "root -process --execve ---sh!"],
  [[], "nginx", "root -process --execve ---nginx! -file --open ---nginx!+"],
  [
    ["/file/open/nginx"],
    "nginx",
    "root -process --execve ---nginx! -file --open ---nginx! ----/etc/a~b",
  ],
  [[], "nowhere", ""],
])("with %j turned and %j searched", (turned, needle, expected) => {
  expect(drawn(turned, needle)).toBe(expected);
});

test("pointers are the API's, and everything can be opened", () => {
  const lines = outline(TREE, closed(TREE), null);
  expect(lines).toHaveLength(9);
  expect(lines.at(-1)?.pointer).toBe("/file/open/nginx/~1etc~1a~0b");
});
