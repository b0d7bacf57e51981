// The one place that knows how ECharts is begun and ended; what is drawn registers its own parts, so
// that a page loads no more than it draws.
import { TooltipComponent } from "echarts/components";
import { type EChartsType, init, use as register } from "echarts/core";
import { CanvasRenderer } from "echarts/renderers";
import { type RefObject, useEffect } from "react";

register([TooltipComponent, CanvasRenderer]);

export { register };

/** A colour of the theme. */
export function color(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** A chart in a box, as large as the box, made anew when what makes it changes. */
export function useChart(box: RefObject<HTMLDivElement>, make: (chart: EChartsType) => void): void {
  useEffect(() => {
    if (!box.current) return;
    const chart = init(box.current, undefined, { renderer: "canvas" });
    make(chart);
    const watch = new ResizeObserver(() => chart.resize());
    watch.observe(box.current);
    return () => {
      watch.disconnect();
      chart.dispose();
    };
  }, [box, make]);
}
