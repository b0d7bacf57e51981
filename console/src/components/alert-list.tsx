import { createColumnHelper, type ColumnDef } from "@tanstack/react-table";
import { Suspense, lazy, useCallback, useEffect, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Alert } from "../api/client";
import { type Filter, filterOf, mayMatch, useAlerts, useLivePatches } from "../lib/alerts";
import { count, sum } from "../lib/format";
import { useKeys } from "../lib/keys";
import { useSearch } from "../lib/search";
import { alerts as live, gaps } from "../live/store";
import { AlertFilters } from "./alert-filters";
import { AlertSteps } from "./alert-steps";
import { AlertsEmpty } from "./alerts-empty";
import { Loading, Raw } from "./bits";
import { Bulk } from "./bulk";
import type { GridHandle } from "./grid";
import { List, agoColumn, more, priorityColumn } from "./list";

const Detail = lazy(() => import("./alert-detail"));
const column = createColumnHelper<Alert>();

interface Props {
  refresh: () => void;
  /** Only this container's, as the API knows it. */
  container?: string;
}

/** Alerts with their filters, and one of them beside the list. */
export function AlertList({ refresh, container }: Props) {
  const { t, i18n } = useTranslation();
  const { query, get, set } = useSearch();
  const text = query.toString();
  const filter = useMemo<Filter>(() => {
    const read = filterOf(new URLSearchParams(text));
    return container ? { ...read, container_id: container } : read;
  }, [text, container]);
  // What does not filter must not ask again.
  const asked = useAlerts(useStable(filter));
  const { fetchNextPage, hasNextPage, isFetching } = asked;
  const rows = useMemo(() => asked.data?.pages.flatMap((page) => page.alerts) ?? [], [asked.data]);
  const stats = asked.data?.pages[0]?.stats;
  const [picked, setPicked] = useState<ReadonlySet<string>>(new Set());
  const handle = useRef<GridHandle>(null);
  const box = useRef<HTMLDivElement>(null);
  const id = get("id");
  const open = useCallback((alert: Alert) => set({ id: alert.id }), [set]);
  useLivePatches();
  const fresh = useArrivals(
    filter,
    rows,
    () => {
      const busy = box.current?.matches(":hover") || box.current?.contains(document.activeElement);
      return !busy && (handle.current?.atTop() ?? true);
    },
    refresh,
  );
  const pick = useCallback((one: string) => {
    setPicked((old) => {
      const next = new Set(old);
      if (!next.delete(one)) next.add(one);
      return next;
    });
  }, []);

  const move = (step: number) => {
    const at = rows.findIndex((row) => row.id === id);
    const row = rows[Math.min(rows.length - 1, Math.max(0, at + step))];
    if (row) set({ id: row.id }, id !== "");
  };
  useKeys({
    j: () => move(1),
    ArrowDown: () => move(1),
    k: () => move(-1),
    ArrowUp: () => move(-1),
    Enter: () => move(0),
    o: () => move(0),
    Escape: () => set({ id: null }),
    x: () => id && pick(id),
    "/": () => document.getElementById("search")?.focus(),
  });
  const columns = useColumns(picked, pick, container !== undefined);
  const end = useCallback(
    () => more({ hasNextPage, isFetching, fetchNextPage }),
    [hasNextPage, isFetching, fetchNextPage],
  );
  return (
    <div className={id ? "split with-panel" : "split"}>
      <section className="list" aria-label={t("alerts.title")}>
        <AlertFilters fixed={container} filter={filter} />
        {stats && sum(stats.by_state) > 0 && <AlertSteps steps={stats.over_time} />}
        <div className="list-bar">
          <span className="muted" role="status">
            {stats &&
              t("alerts.total", {
                count: stats.alerts,
                shown: count(stats.alerts, i18n.language),
              })}
          </span>
          {fresh > 0 && (
            <button type="button" className="pill" onClick={refresh}>
              {t("alerts.new", { count: fresh })}
            </button>
          )}
          {picked.size > 0 && <Bulk ids={[...picked]} clear={() => setPicked(new Set())} />}
        </div>
        <List
          asked={asked}
          empty={<AlertsEmpty filter={filter} />}
          rows={rows}
          box={box}
          label={t("alerts.title")}
          columns={columns}
          id={(row) => row.id}
          active={id}
          onOpen={open}
          onEnd={end}
          handle={handle}
          tone={(row) => (filter.state?.includes(row.state) === false ? "settled" : "")}
        />
      </section>
      {id !== "" && (
        <Suspense
          fallback={
            <aside className="panel">
              <Loading />
            </aside>
          }
        >
          <Detail key={id} id={id} close={() => set({ id: null })} />
        </Suspense>
      )}
    </div>
  );
}

/** The same object while it says the same. */
function useStable<T>(value: T): T {
  const text = JSON.stringify(value);
  return useMemo(() => JSON.parse(text) as T, [text]);
}

/**
 * Alerts that came and are not in the list. They go in by themselves only while nobody points at or
 * works in the list; else they are counted.
 */
function useArrivals(filter: Filter, rows: Alert[], idle: () => boolean, refresh: () => void) {
  const [fresh, setFresh] = useState<ReadonlySet<string>>(new Set());
  const known = useMemo(() => new Set(rows.map((row) => row.id)), [rows]);
  useEffect(
    () =>
      live.listen((alert) => {
        if (known.has(alert.id) || !mayMatch(filter, alert)) return;
        setFresh((old) => (old.has(alert.id) ? old : new Set(old).add(alert.id)));
      }),
    [known, filter],
  );
  useEffect(() => gaps.listen(refresh), [refresh]);
  const waiting = [...fresh].filter((one) => !known.has(one)).length;
  const newest = useRef({ idle, refresh });
  useEffect(() => {
    newest.current = { idle, refresh };
  });
  useEffect(() => {
    if (waiting === 0) return;
    const timer = setTimeout(() => {
      if (newest.current.idle()) newest.current.refresh();
    }, 700);
    return () => clearTimeout(timer);
  }, [waiting]);
  return waiting;
}

function useColumns(
  picked: ReadonlySet<string>,
  pick: (id: string) => void,
  ofContainer: boolean,
): ColumnDef<Alert>[] {
  const { t, i18n } = useTranslation();
  const language = i18n.language;
  return useMemo(() => {
    const zh = language === "zh";
    const columns = [
      column.display({
        id: "pick",
        header: () => <span className="sr-only">{t("alerts.select")}</span>,
        cell: ({ row: { original: alert } }) => (
          <label className="check">
            <input
              type="checkbox"
              checked={picked.has(alert.id)}
              onChange={() => pick(alert.id)}
              aria-label={`${t("alerts.select")}: ${zh ? alert.summary.zh : alert.summary.en}`}
            />
          </label>
        ),
        meta: { track: "34px", tiny: "26px" },
      }),
      priorityColumn<Alert>(),
      column.display({
        id: "what",
        header: () => t("alerts.what"),
        cell: ({ row: { original: alert } }) => (
          <span className="two">
            <span className="title">
              <Raw value={zh ? alert.summary.zh : alert.summary.en} mono={false} />
            </span>
            <span className="under">
              {alert.kind === "rule" ? (
                <Raw value={alert.rule} mono={false} />
              ) : (
                t(`kind.${alert.kind as "danger"}`)
              )}
              {alert.state !== "open" && ` · ${t(`state.${alert.state}`)}`}
              {alert.assignee && (
                <>
                  {" · "}
                  <Raw value={alert.assignee} mono={false} />
                </>
              )}
            </span>
          </span>
        ),
        meta: { track: "minmax(0, 1fr)" },
      }),
      column.accessor("container", {
        header: () => t("alerts.container"),
        cell: ({ row: { original: alert } }) => (
          <span className="cut">
            <Raw value={alert.container.name || alert.container.id} />
            {alert.containers_total > 1 && ` +${alert.containers_total - 1}`}
          </span>
        ),
        meta: { track: "minmax(0, 150px)", wide: true },
      }),
      column.accessor("count", {
        header: () => t("alerts.count"),
        cell: (cell) => (
          <span className="number">{t("times", { n: count(cell.getValue(), language) })}</span>
        ),
        meta: { track: "76px", wide: true },
      }),
      agoColumn<Alert>("last", t("alerts.last"), (alert) => alert.last_seen),
    ] as ColumnDef<Alert>[];
    return ofContainer
      ? columns.filter((one) => !("accessorKey" in one) || one.accessorKey !== "container")
      : columns;
  }, [t, language, picked, pick, ofContainer]);
}
