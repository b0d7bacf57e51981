import { useVirtualizer } from "@tanstack/react-virtual";
import { type KeyboardEvent, useId, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { TreeNode } from "../api/client";
import { count } from "../lib/format";
import { type Line, closed, outline } from "../lib/outline";
import { useSearch } from "../lib/search";
import type { Heat } from "../lib/subtree";
import { useHeat, useTree } from "../lib/tree";
import { Failed, Loading, Nothing, Raw } from "./bits";

const ROW = 24;

interface Props {
  id: string;
  at?: string;
  /** A node was chosen. */
  onChoose?: (line: Line) => void;
}

/** An outline of a behaviour tree, of any size, with search. */
export function Tree({ id, at, onChoose }: Props) {
  const { t } = useTranslation();
  const { get, set } = useSearch();
  const asked = useTree(id, at);
  const heats = useHeat(id, asked.data);
  const [turned, setTurned] = useState<ReadonlySet<string>>(new Set());
  const needle = get("node").toLowerCase();
  const only = get("only") === "deviations";
  const root = asked.data;
  const lines = useMemo(() => {
    if (!root) return [];
    const fits = (node: TreeNode, pointer: string) =>
      node.name.toLowerCase().includes(needle) && (!only || (heats.get(pointer)?.own ?? 0) > 0);
    return outline(root, turned, needle || only ? fits : null);
  }, [root, turned, needle, only, heats]);
  const all = useMemo(() => (root ? closed(root) : new Set<string>()), [root]);
  if (asked.isPending) return <Loading lines={10} />;
  if (!root) return <Failed error={asked.error} retry={() => void asked.refetch()} />;
  return (
    <>
      <div className="filters">
        <input
          type="search"
          className="input"
          value={get("node")}
          maxLength={200}
          placeholder={t("tree.search")}
          aria-label={t("tree.search")}
          onChange={(event) => set({ node: event.target.value }, true)}
        />
        <button
          type="button"
          className="button"
          aria-pressed={only}
          onClick={() => set({ only: only ? null : "deviations" })}
        >
          {t("tree.only")}
        </button>
        <button
          type="button"
          className="button"
          onClick={() => setTurned((old) => (old.size > 0 ? new Set() : all))}
        >
          {t(turned.size > 0 ? "tree.collapse" : "tree.expand")}
        </button>
      </div>
      {lines.length === 0 ? (
        <Nothing title={t("tree.none")}>
          <p>{t("tree.noneText")}</p>
        </Nothing>
      ) : (
        <Outline
          lines={lines}
          heats={heats}
          turn={(pointer) => {
            setTurned((old) => {
              const next = new Set(old);
              if (!next.delete(pointer)) next.add(pointer);
              return next;
            });
          }}
          onChoose={onChoose}
        />
      )}
    </>
  );
}

interface OutlineProps {
  lines: Line[];
  heats: Heat;
  turn: (pointer: string) => void;
  onChoose?: (line: Line) => void;
}

function Outline({ lines, heats, turn, onChoose }: OutlineProps) {
  const { t } = useTranslation();
  const box = useRef<HTMLDivElement>(null);
  const prefix = useId();
  const [active, setActive] = useState<string | null>(null);
  const virtual = useVirtualizer({
    count: lines.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW,
    overscan: 10,
  });
  const at = lines.findIndex((line) => line.pointer === active);
  const go = (index: number) => {
    const line = lines[Math.min(lines.length - 1, Math.max(0, index))];
    if (!line) return;
    setActive(line.pointer);
    virtual.scrollToIndex(lines.indexOf(line));
  };
  const pressed = (event: KeyboardEvent) => {
    const line = lines[at];
    const keys: Record<string, () => void> = {
      ArrowDown: () => go(at + 1),
      ArrowUp: () => go(at - 1),
      Home: () => go(0),
      End: () => go(lines.length - 1),
      ArrowRight: () => {
        if (line?.open === false) turn(line.pointer);
        else go(at + 1);
      },
      ArrowLeft: () => {
        if (line?.open) turn(line.pointer);
        else go(lines.findLastIndex((one, i) => i < at && one.depth < (line?.depth ?? 0)));
      },
      Enter: () => line && onChoose?.(line),
    };
    const act = keys[event.key];
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  };
  return (
    <div className="tree-box">
      <div
        className="tree"
        role="tree"
        ref={box}
        tabIndex={0}
        aria-label={t("tree.outline")}
        aria-activedescendant={at >= 0 ? `${prefix}-${at}` : undefined}
        onKeyDown={pressed}
      >
        <div role="presentation" style={{ height: virtual.getTotalSize() }}>
          {virtual.getVirtualItems().map(({ index, start }) => {
            const line = lines[index];
            if (!line) return null;
            return (
              <div
                key={line.pointer}
                id={`${prefix}-${index}`}
                role="treeitem"
                aria-level={line.depth + 1}
                aria-expanded={line.open ?? undefined}
                aria-selected={index === at}
                className={line.hit ? "hit" : ""}
                style={{
                  transform: `translateY(${start}px)`,
                  height: ROW,
                  paddingLeft: 8 + 14 * line.depth,
                }}
                onClick={() => {
                  setActive(line.pointer);
                  if (line.open !== null) turn(line.pointer);
                  onChoose?.(line);
                }}
              >
                <Node line={line} heats={heats} />
              </div>
            );
          })}
        </div>
      </div>
    </div>
  );
}

function Node({ line, heats }: { line: Line; heats: Heat }) {
  const { t, i18n } = useTranslation();
  const { node } = line;
  const { metadata } = node;
  // What is open shows its own; what is closed shows all that is in it.
  const warmth = heats.get(line.pointer);
  const found = line.open ? warmth?.own : warmth?.all;
  const left = Number(metadata.children_left_out ?? 0);
  return (
    <>
      <span className="twist" aria-hidden="true">
        {line.open === null ? "·" : line.open ? "▾" : "▸"}
      </span>
      <span className="name" title={node.type}>
        <Raw value={node.name} most={200} />
      </span>
      {metadata.examples !== undefined && <span className="tag">{t("tree.generalised")}</span>}
      {metadata.origin === "promoted" && <span className="tag good">{t("tree.promoted")}</span>}
      {found !== undefined && found > 0 && (
        <span className="tag bad">{t("nav.open", { n: found })}</span>
      )}
      {left > 0 && <span className="tag">{t("tree.leftOut", { n: left })}</span>}
      <span className="number" title={t("tree.events")}>
        {count(node.events_count, i18n.language)}
      </span>
    </>
  );
}
