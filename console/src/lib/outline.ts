import type { TreeNode } from "../api/client";

/** One line of an outline. */
export interface Line {
  /** A JSON pointer over the keys of `children`, as the API takes it. */
  pointer: string;
  node: TreeNode;
  depth: number;
  /** Closed, open, or nothing to open. */
  open: boolean | null;
  /** It is what was searched for. */
  hit: boolean;
}

/** Levels open at first: the branches and their calls. */
const OPEN_LEVELS = 2;

export const step = (pointer: string, key: string) =>
  `${pointer}/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`;

type Fits = (node: TreeNode, pointer: string) => boolean;

/** The nodes that match, with all above and below them; their pointers. */
function matches(root: TreeNode, fits: Fits) {
  const hits = new Set<string>();
  const kept = new Set<string>();
  const walk = (node: TreeNode, pointer: string): boolean => {
    let keep = fits(node, pointer);
    if (keep) hits.add(pointer);
    for (const [key, child] of Object.entries(node.children)) {
      if (walk(child, step(pointer, key))) keep = true;
    }
    if (keep) kept.add(pointer);
    return keep;
  };
  walk(root, "");
  return { hits, kept };
}

/**
 * The lines of a tree as it is opened. With a search only what fits is shown, opened down to it; what
 * is below a hit can be opened. `turned` are the nodes that are not as they would be by themselves.
 */
export function outline(root: TreeNode, turned: ReadonlySet<string>, fits: Fits | null): Line[] {
  const found = fits && matches(root, fits);
  const lines: Line[] = [];
  const walk = (node: TreeNode, pointer: string, depth: number, below: boolean) => {
    const children = Object.entries(node.children).sort(
      ([, a], [, b]) => b.events_count - a.events_count || (a.name < b.name ? -1 : 1),
    );
    const hit = found?.hits.has(pointer) ?? false;
    const leads = found
      ? children.some(([key]) => found.kept.has(step(pointer, key)))
      : depth < OPEN_LEVELS;
    const open = children.length === 0 ? null : leads !== turned.has(pointer);
    lines.push({ pointer, node, depth, open, hit });
    if (!open) return;
    for (const [key, child] of children) {
      const next = step(pointer, key);
      const under = below || hit;
      if (!found || under || found.kept.has(next)) walk(child, next, depth + 1, under);
    }
  };
  if (!found || found.kept.has("")) walk(root, "", 0, false);
  return lines;
}

/** Nodes that are closed by themselves, for opening them all. */
export function closed(root: TreeNode): Set<string> {
  const all = new Set<string>();
  const walk = (node: TreeNode, pointer: string, depth: number) => {
    if (depth >= OPEN_LEVELS) all.add(pointer);
    for (const [key, child] of Object.entries(node.children)) {
      walk(child, step(pointer, key), depth + 1);
    }
  };
  walk(root, "", 0);
  return all;
}
