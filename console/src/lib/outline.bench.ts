import { bench } from "vitest";
import type { TreeNode } from "../api/client";
import { outline } from "./outline";

const leaf = (name: string): TreeNode => ({
  name,
  type: "file_name",
  events_count: 1,
  metadata: {},
  children: {},
});
const below = (name: string, children: TreeNode[]): TreeNode => ({
  ...leaf(name),
  children: Object.fromEntries(children.map((child) => [child.name, child])),
});
const hundred = Array.from({ length: 100 }, (_, i) => i);
const TREE = below(
  "root",
  hundred.map((i) =>
    below(
      `dir${i}`,
      hundred.map((j) => leaf(`file-${i}-${j}.html`)),
    ),
  ),
);

bench("a search in 10 000 nodes", () => {
  outline(TREE, new Set(), (node) => node.name.includes("-77"));
});
