import type { Alert, TreeNode } from "../api/client";
import { step } from "./outline";

/** Open alerts of a node: about it or what is below it, and about nothing below it. */
export interface Warmth {
  all: number;
  own: number;
}

/** Open alerts by the pointers of the nodes that they are about, and of all nodes above these. */
export type Heat = ReadonlyMap<string, Warmth>;

/** A part of a tree as it is drawn. */
export interface Branch {
  pointer: string;
  name: string;
  type: string;
  events: number;
  /** Open alerts about it and what is below it. */
  heat: number;
  /** Nodes directly below that are not drawn. */
  hidden: number;
  children: Branch[];
}

type Place = Pick<Alert, "id" | "lineage" | "path">;

/**
 * Where in a tree alerts are. An alert knows its program and the learned part of its path; where the
 * program stands under several calls, the places that go furthest along that path count.
 */
export function heat(root: TreeNode, alerts: readonly Place[]): Heat {
  const programs = new Map<string, string[]>();
  const nodes = new Map<string, TreeNode>();
  const walk = (node: TreeNode, pointer: string) => {
    nodes.set(pointer, node);
    if (node.type === "process_name")
      programs.set(node.name, [...(programs.get(node.name) ?? []), pointer]);
    else for (const [key, child] of Object.entries(node.children)) walk(child, step(pointer, key));
  };
  walk(root, "");
  const found = new Map<string, { ids: Set<string>; own: number }>();
  const put = (pointer: string, id: string, own: number) => {
    const here = found.get(pointer) ?? { ids: new Set<string>(), own: 0 };
    found.set(pointer, { ids: here.ids.add(id), own: here.own + own });
    if (pointer !== "") put(pointer.slice(0, pointer.lastIndexOf("/")), id, 0);
  };
  for (const { id, lineage, path } of alerts) {
    const program = lineage.at(-1)?.name ?? path.learned[0] ?? "";
    const rest = path.learned[0] === program ? path.learned.slice(1) : [];
    const ends = (programs.get(program) ?? []).map((from) => follow(nodes.get(from), from, rest));
    const furthest = Math.max(0, ...ends.map((end) => end.depth));
    for (const end of ends) if (end.depth === furthest) put(end.pointer, id, 1);
    // A program that is not in the tree at all is news of the whole of it.
    if (ends.length === 0) put("", id, 0);
  }
  return new Map([...found].map(([pointer, { ids, own }]) => [pointer, { all: ids.size, own }]));
}

/** As far as a path of names goes below a node. */
function follow(node: TreeNode | undefined, from: string, names: string[]) {
  let [pointer, depth] = [from, 0];
  for (const name of names) {
    const next = Object.entries(node?.children ?? {}).find(([, child]) => child.name === name);
    if (!next) break;
    pointer = step(pointer, next[0]);
    node = next[1];
    depth += 1;
  }
  return { pointer, depth };
}

/** A node by its pointer, with the way to it from the root; nothing where it is not there. */
export function find(root: TreeNode, pointer: string) {
  const trail = [{ pointer: "", node: root }];
  for (const word of pointer.split("/").slice(1)) {
    const key = word.replaceAll("~1", "/").replaceAll("~0", "~");
    const above = trail.at(-1);
    const node = above?.node.children[key];
    if (!above || !node) return null;
    trail.push({ pointer: step(above.pointer, key), node });
  }
  return trail;
}

interface Limits {
  /** Ends drawn, at most. */
  leaves: number;
  /** Levels below the node, at most. */
  depth: number;
  /** Nodes directly below one, at most. */
  children: number;
}

/**
 * What is drawn of a subtree: ways to alerts before all others, then level by level, the most used
 * first, until there is no room for more ends.
 */
export function grow(node: TreeNode, pointer: string, heats: Heat, limits: Limits): Branch {
  const branch = (one: TreeNode, at: string): Branch => ({
    pointer: at,
    name: one.name,
    type: one.type,
    events: one.events_count,
    heat: heats.get(at)?.all ?? 0,
    hidden: Object.keys(one.children).length,
    children: [],
  });
  const top = branch(node, pointer);
  let room = limits.leaves - 1;
  const levels: [Branch, TreeNode][][] = [[[top, node]]];
  const queue = (hot: boolean) => {
    for (let depth = 0; depth < Math.min(levels.length, limits.depth); depth += 1) {
      for (const [drawn, one] of levels[depth] ?? []) {
        if (drawn.children.length > 0 || (hot && drawn.heat === 0)) continue;
        const below = Object.entries(one.children)
          .map(([key, child]) => [branch(child, step(drawn.pointer, key)), child] as const)
          .sort(([a], [b]) => b.heat - a.heat || b.events - a.events || (a.name < b.name ? -1 : 1));
        // The first child stands where its parent ended.
        const fit = below.slice(0, Math.min(room + 1, limits.children));
        if (fit.length === 0) continue;
        room -= fit.length - 1;
        drawn.children = fit.map(([child]) => child);
        drawn.hidden = below.length - fit.length;
        levels[depth + 1] = [
          ...(levels[depth + 1] ?? []),
          ...fit.map(([a, b]) => [a, b] as [Branch, TreeNode]),
        ];
        if (room <= 0) return;
      }
    }
  };
  queue(true);
  if (room > 0) queue(false);
  return top;
}

/** Ends of what is drawn. */
export function leaves(branch: Branch): number {
  return branch.children.length === 0 ? 1 : branch.children.reduce((n, one) => n + leaves(one), 0);
}
