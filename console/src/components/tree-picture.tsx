import { TreeChart, TreemapChart } from "echarts/charts";
import type { EChartsType } from "echarts/core";
import { useCallback, useEffect, useRef } from "react";
import { useTranslation } from "react-i18next";
import { type Branch, leaves } from "../lib/subtree";
import { shown } from "../lib/untrusted";
import { useTheme } from "../theme";
import { color, register, useChart } from "./charts";

register([TreeChart, TreemapChart]);

/** Pixels of one end of the tree chart: less, and the names overlap. */
const LEAF = 18;
/** Characters of a name on a canvas; the list beside it has more. */
const NAME = 48;

interface Props {
  kind: "map" | "chart";
  branch: Branch;
  label: string;
  /** A node was pressed. */
  onOpen: (pointer: string) => void;
}

/** A part of a behaviour tree as a picture. What it says is also in the list beside it. */
export default function TreePicture({ kind, branch, label, onOpen }: Props) {
  const { t } = useTranslation();
  const theme = useTheme((state) => state.theme);
  const box = useRef<HTMLDivElement>(null);
  const open = useRef(onOpen);
  useEffect(() => {
    open.current = onOpen;
  });
  const events = t("tree.events");
  const alerts = t("overview.open");
  const make = useCallback(
    (chart: EChartsType) => {
      const about = (value: unknown) => {
        const { name, events: n, heat } = (value as { data: Drawn }).data;
        return `${name}\n${events}: ${n}${heat > 0 ? `\n${alerts}: ${heat}` : ""}`;
      };
      // The theme's colours are read from the page, so that the theme has a part in this.
      const series = kind === "map" ? treemap(branch, theme) : tree(branch, theme);
      chart.setOption({
        animation: false,
        // Drawn on the canvas: a tooltip of HTML needs inline styles, which the policy refuses.
        tooltip: { renderMode: "richText", formatter: about, confine: true },
        series: [series],
      });
      chart.on("click", (event) => {
        const pointer = (event.data as Drawn | undefined)?.pointer;
        if (pointer !== undefined) open.current(pointer);
      });
    },
    [kind, branch, theme, events, alerts],
  );
  useChart(box, make);
  const height = kind === "map" ? 600 : Math.max(200, LEAF * leaves(branch));
  return <div ref={box} className="chart" style={{ height }} role="img" aria-label={label} />;
}

interface Drawn {
  name: string;
  pointer: string;
  events: number;
  heat: number;
  value: number;
  children?: Drawn[];
  itemStyle?: object;
  lineStyle?: object;
  label?: object;
  upperLabel?: object;
}

/** Alerts by colour, as everywhere; what has none is neutral. */
function tone(heat: number): string {
  if (heat === 0) return color("--line");
  return color(heat < 2 ? "--s3" : heat < 5 ? "--s4" : "--s5");
}

/** Events as areas, by their logarithm: a file read a million times hides what was read once. */
function treemap(branch: Branch, theme: string) {
  const text = color("--text");
  const drawn = (one: Branch): Drawn => {
    const children = one.children.map(drawn);
    const own = Math.log2(2 + one.events);
    const below = children.reduce((sum, child) => sum + child.value, 0);
    // What holds alerts further down says so by its name; the colour is where they are.
    const group = children.length > 0;
    const hot = one.heat > 0 && !group;
    return {
      name: shown(one.name, NAME),
      pointer: one.pointer,
      events: one.events,
      heat: one.heat,
      value: Math.max(own, below),
      itemStyle: {
        color: hot ? tone(one.heat) : color("--map"),
        borderColor: group ? color("--line") : color("--card"),
      },
      label: { color: hot ? color("--card") : text },
      ...(group && one.heat > 0 ? { upperLabel: { color: tone(one.heat) } } : {}),
      ...(group ? { children } : {}),
    };
  };
  return {
    type: "treemap",
    name: theme,
    data: drawn(branch).children ?? [drawn(branch)],
    left: 0,
    right: 0,
    top: 0,
    bottom: 0,
    nodeClick: false,
    roam: false,
    breadcrumb: { show: false },
    label: { show: true, fontSize: 12, overflow: "truncate" },
    upperLabel: { show: true, height: 20, color: text, fontSize: 12, fontWeight: "bold" },
    itemStyle: { borderWidth: 1, gapWidth: 1 },
    levels: [
      { itemStyle: { gapWidth: 4, borderColor: color("--card") }, upperLabel: { show: false } },
      { itemStyle: { gapWidth: 2 } },
      { itemStyle: { gapWidth: 1 } },
    ],
  };
}

/** Names at the ends of lines; those with alerts in their colour. */
function tree(branch: Branch, theme: string) {
  const text = color("--text");
  const drawn = (one: Branch): Drawn => ({
    name: shown(one.name, NAME) + (one.hidden > 0 ? ` +${one.hidden}` : ""),
    pointer: one.pointer,
    events: one.events,
    heat: one.heat,
    value: one.events,
    itemStyle: { color: tone(one.heat), borderColor: one.heat > 0 ? tone(one.heat) : text },
    lineStyle: { color: tone(one.heat), width: one.heat > 0 ? 2 : 1 },
    label: { color: one.heat > 0 ? tone(one.heat) : text },
    ...(one.children.length > 0 ? { children: one.children.map(drawn) } : {}),
  });
  return {
    type: "tree",
    name: theme,
    data: [drawn(branch)],
    left: 90,
    right: 220,
    top: 8,
    bottom: 8,
    // Straight edges take their neighbours' colours (an open defect of ECharts).
    edgeShape: "curve",
    expandAndCollapse: false,
    symbol: "circle",
    symbolSize: 7,
    initialTreeDepth: -1,
    label: { position: "left", align: "right", verticalAlign: "middle", fontSize: 12, distance: 6 },
    leaves: { label: { position: "right", align: "left" } },
  };
}
