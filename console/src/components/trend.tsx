import { BarChart } from "echarts/charts";
import { BrushComponent, GridComponent, ToolboxComponent } from "echarts/components";
import type { EChartsType } from "echarts/core";
import { useCallback, useEffect, useRef } from "react";
import { useTranslation } from "react-i18next";
import type { Schema } from "../api/client";
import { clock, moment } from "../lib/format";
import { type Theme, useTheme } from "../theme";
import { color, register, useChart } from "./charts";

interface Props {
  steps: Schema["AlertStep"][];
  /** A time was marked in the chart. */
  onMark: (start: string, end: string) => void;
}

register([BarChart, BrushComponent, GridComponent, ToolboxComponent]);

/** Alerts over time; dragging marks a time. */
export default function Trend({ steps, onMark }: Props) {
  const { t, i18n } = useTranslation();
  const theme = useTheme((state) => state.theme);
  const box = useRef<HTMLDivElement>(null);
  const mark = useRef(onMark);
  useEffect(() => {
    mark.current = onMark;
  });
  const make = useCallback(
    (chart: EChartsType) => {
      chart.setOption(option(steps, theme, [t("overview.opened"), t("overview.active")]));
      const brush = { key: "brush", brushOption: { brushType: "lineX", brushMode: "single" } };
      chart.dispatchAction({ type: "takeGlobalCursor", ...brush });
      chart.on("brushEnd", (event) => {
        const { areas } = event as { areas?: { coordRange?: [number, number] }[] };
        const range = areas?.[0]?.coordRange;
        const [first, last] = [steps[range?.[0] ?? -1], steps[range?.[1] ?? -1]];
        if (first?.start && last?.end) mark.current(first.start, last.end);
      });
    },
    [steps, theme, t],
  );
  useChart(box, make);
  const first = moment(steps[0]?.start, i18n.language);
  return (
    <div
      ref={box}
      className="chart"
      role="img"
      aria-label={`${t("overview.trend")}, ${first} – ${moment(steps.at(-1)?.end, i18n.language)}`}
    />
  );
}

function option(steps: Schema["AlertStep"][], theme: Theme, names: [string, string]) {
  const [text, line] = [color("--muted"), color("--line")];
  const bar = { type: "bar", barWidth: "70%", stack: "all" };
  return {
    animation: false,
    grid: { left: 34, right: 8, top: 12, bottom: 24 },
    // Drawn on the canvas: a tooltip of HTML needs inline styles, which the policy refuses.
    tooltip: { trigger: "axis", renderMode: "richText", axisPointer: { type: "shadow" } },
    brush: {
      xAxisIndex: 0,
      brushStyle: { color: theme === "dark" ? "#74a9ff33" : "#1d5fc233" },
      throttleType: "debounce",
    },
    toolbox: { show: false },
    xAxis: {
      type: "category",
      data: steps.map((step) => clock(step.start).slice(0, 8)),
      axisLabel: { color: text, hideOverlap: true },
      axisLine: { lineStyle: { color: line } },
      axisTick: { show: false },
    },
    yAxis: {
      type: "value",
      minInterval: 1,
      axisLabel: { color: text },
      splitLine: { lineStyle: { color: line } },
    },
    series: [
      { ...bar, name: names[0], color: color("--s4"), data: steps.map((step) => step.opened) },
      {
        ...bar,
        name: names[1],
        color: color("--s2"),
        data: steps.map((step) => Math.max(0, step.active - step.opened)),
      },
    ],
  };
}
