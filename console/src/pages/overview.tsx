import { useQuery } from "@tanstack/react-query";
import { type ReactNode, Suspense, lazy } from "react";
import { useTranslation } from "react-i18next";
import { Link, useNavigate } from "react-router";
import { type Alert, type Priority, type Schema, answer, api } from "../api/client";
import { type Bar, Bars } from "../components/bars";
import { Ago, Failed, Loading, Raw, Severity } from "../components/bits";
import { useOverview } from "../components/shell";
import { Table } from "../components/table";
import { Welcome } from "../components/welcome";
import { PRIORITIES, clock, count, level, rate } from "../lib/format";
import { link, useSearch } from "../lib/search";

const Trend = lazy(() => import("../components/trend"));
const WINDOWS = ["5m", "15m", "1h", "24h"];
const MINUTES: Record<string, number> = { "5m": 5, "15m": 15, "1h": 60, "24h": 1440 };
/** Alerts of the list that says where to begin. */
const FIRST = 6;

/** Am I under attack, and can I trust what I see? */
export function Component() {
  const { t } = useTranslation();
  const { get, set } = useSearch();
  const window = WINDOWS.includes(get("window")) ? get("window") : "1h";
  const asked = useOverview(window);
  const data = asked.data;
  if (asked.isPending) return <Loading lines={12} />;
  if (!data)
    return (
      <>
        <h1>{t("overview.title")}</h1>
        <Failed error={asked.error} retry={() => void asked.refetch()} />
      </>
    );
  if (data.totals.received === 0) return <Welcome />;
  return (
    <>
      {asked.isError && (
        <div className="notice" role="status">
          {t("error.unreachable")} {t("error.stale")}
        </div>
      )}
      <div className="filters">
        <h1>{t("overview.title")}</h1>
        <div className="tabs" role="group" aria-label={t("overview.window")}>
          {WINDOWS.map((one) => (
            <button
              key={one}
              type="button"
              aria-pressed={one === window}
              onClick={() => set({ window: one })}
            >
              {one}
            </button>
          ))}
        </div>
        <Link className="button aside" to="/report">
          {t("overview.report")}
        </Link>
      </div>
      <Tiles data={data} />
      <div className="columns wide-first">
        <TrendCard until={data.generated} window={window} />
        <First />
      </div>
      <Distributions data={data} />
    </>
  );
}

function Tile(props: {
  name: string;
  value: string;
  to: string;
  bad?: boolean;
  children: ReactNode;
}) {
  return (
    <Link className="card tile" to={props.to}>
      <span className="muted">{props.name}</span>
      <b className={props.bad ? "bad" : ""}>{props.value}</b>
      <span className={props.bad ? "bad" : "muted"}>{props.children}</span>
    </Link>
  );
}

const SEVERE: Priority[] = ["Emergency", "Alert", "Critical"];

function Tiles({ data }: { data: Schema["Overview"] }) {
  const { t, i18n } = useTranslation();
  const number = (n: number) => count(n, i18n.language);
  const severe = SEVERE.reduce((sum, p) => sum + (data.alerts.open_by_priority[p] ?? 0), 0);
  const phases = data.containers.by_phase;
  const learning = (phases.warmup ?? 0) + (phases.learning ?? 0);
  const drifted = useQuery({
    queryKey: ["drifted"],
    queryFn: ({ signal }) =>
      answer(
        api.GET("/api/containers", {
          params: { query: { priority: "Warning", limit: 1 } },
          signal,
        }),
      ),
    refetchInterval: 15_000,
  }).data?.total;
  return (
    <div className="tiles">
      <Tile
        name={t("overview.open")}
        value={number(data.alerts.open)}
        to={severe > 0 ? "/alerts?priority=Critical" : "/alerts"}
        bad={severe > 0}
      >
        {severe > 0 ? t("overview.severe", { n: number(severe) }) : t("overview.allQuiet")}
      </Tile>
      <Tile
        name={t("overview.drifted")}
        value={drifted === undefined ? "–" : number(drifted)}
        to="/containers?priority=Warning"
      >
        {t("overview.of", { n: number(data.containers.total) })}
      </Tile>
      <Tile name={t("overview.watched")} value={number(data.containers.total)} to="/containers">
        {t("overview.learning", { n: number(learning) })}
      </Tile>
      <Tile
        name={t("overview.rate")}
        value={rate(data.containers.events_per_second, i18n.language)}
        to="/system"
        bad={data.lost > 0}
      >
        {data.lost > 0 ? t("overview.lost", { n: number(data.lost) }) : t("overview.nothingLost")}
      </Tile>
    </div>
  );
}

/** The store's numbers, since those of the events begin anew with the service. */
function useSteps(until: string | null, window: string) {
  const asked = useQuery({
    queryKey: ["overview", "steps", window],
    queryFn: ({ signal }) => {
      const end = Date.parse(until ?? "") + 1000;
      const at = (time: number) => new Date(time).toISOString();
      const query = {
        start: at(end - (MINUTES[window] ?? 60) * 60_000),
        end: at(end),
        stats: true,
        limit: 1,
      };
      return answer(api.GET("/api/alerts", { params: { query }, signal }));
    },
    enabled: until !== null,
    refetchInterval: 15_000,
  });
  return asked.data?.stats?.over_time ?? NO_STEPS;
}

const NO_STEPS: Schema["AlertStep"][] = [];

function TrendCard({ until, window }: { until: string | null; window: string }) {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const steps = useSteps(until, window);
  return (
    <section className="card tall" aria-label={t("overview.trend")}>
      <h2>{t("overview.trend")}</h2>
      <p className="legend">
        <i className="level-4" /> {t("overview.opened")} <i className="level-2" />{" "}
        {t("overview.active")} <span className="muted">{t("overview.brush")}</span>
      </p>
      <Suspense fallback={<div className="chart" />}>
        <Trend
          steps={steps}
          onMark={(start, end) => void navigate(link("/alerts", { state: "all", start, end }))}
        />
      </Suspense>
      <details className="as-table">
        <summary>{t("overview.asTable")}</summary>
        <Table
          label={t("overview.asTable")}
          rows={steps}
          id={(step) => step.start ?? ""}
          columns={[
            {
              head: t("overview.time"),
              cell: (step) => (
                <Link to={link("/alerts", { state: "all", start: step.start, end: step.end })}>
                  {clock(step.start).slice(0, 8)}
                </Link>
              ),
            },
            { head: t("overview.opened"), cell: (step) => step.opened },
            { head: t("overview.active"), cell: (step) => step.active },
          ]}
        />
      </details>
    </section>
  );
}

/** Most severe first, then least like anything known, then newest. */
function urgent(a: Alert, b: Alert): number {
  return (
    PRIORITIES.indexOf(a.priority) - PRIORITIES.indexOf(b.priority) ||
    b.score - a.score ||
    ((a.last_seen ?? "") < (b.last_seen ?? "") ? 1 : -1)
  );
}

function First() {
  const { t, i18n } = useTranslation();
  const asked = useQuery({
    queryKey: ["overview", "first"],
    queryFn: async ({ signal }) => {
      // The most severe that there are fill the list first.
      for (const priority of ["Critical", "Warning", "Debug"] as const) {
        const query = { state: "open", priority, limit: 100 } as object;
        const page = await answer(api.GET("/api/alerts", { params: { query }, signal }));
        if (page.alerts.length >= FIRST || priority === "Debug") return page.alerts;
      }
      return [];
    },
    refetchInterval: 15_000,
  });
  const alerts = [...(asked.data ?? [])].sort(urgent).slice(0, FIRST);
  return (
    <section className="card" aria-label={t("overview.first")}>
      <h2>{t("overview.first")}</h2>
      {asked.isPending && <Loading lines={FIRST} />}
      {asked.isError && <Failed error={asked.error} />}
      {asked.isSuccess && alerts.length === 0 && <p className="muted">{t("overview.firstNone")}</p>}
      <ul className="first">
        {alerts.map((alert) => (
          <li key={alert.id}>
            <Link to={`/alerts?id=${alert.id}`}>
              <Severity priority={alert.priority} bare />
              <span className="two">
                <span className="title">
                  <Raw
                    value={i18n.language === "zh" ? alert.summary.zh : alert.summary.en}
                    mono={false}
                  />
                </span>
                <span className="under">
                  <Raw value={alert.container.name || alert.container.id} mono={false} /> ·{" "}
                  {t(`kind.${alert.kind as "danger"}`)} ·{" "}
                  {t("times", { n: count(alert.count, i18n.language) })}
                </span>
              </span>
              <span className="muted">
                <Ago time={alert.last_seen} />
              </span>
            </Link>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Distributions({ data }: { data: Schema["Overview"] }) {
  const { t } = useTranslation();
  const { open_by_priority, open_by_rule } = data.alerts;
  const priorities: Bar[] = PRIORITIES.filter((p) => (open_by_priority[p] ?? 0) > 0).map((p) => ({
    key: p,
    name: <Severity priority={p} />,
    value: open_by_priority[p] ?? 0,
    to: link("/alerts", { priority: p }),
    tone: `level-${level(p)}`,
  }));
  const rules: Bar[] = Object.entries(open_by_rule)
    .sort((a, b) => b[1] - a[1])
    .slice(0, 8)
    .map(([rule, value]) => ({
      key: rule,
      name: <Raw value={rule} mono={false} />,
      value,
      to: link("/alerts", { rule }),
    }));
  const categories: Bar[] = Object.entries(data.events.by_category).map(([category, value]) => ({
    key: category,
    name: t(`category.${category as "file"}`),
    value,
    to: "/containers",
  }));
  const containers: Bar[] = data.events.top_containers.map(({ name, events }) => ({
    key: name,
    name: name === "_other_" ? t("overview.other") : <Raw value={name} />,
    value: events,
    to: name === "_other_" ? "/containers" : link("/containers", { q: name }),
  }));
  return (
    <div className="columns">
      {(
        [
          ["overview.byPriority", priorities],
          ["overview.byRule", rules],
          ["overview.byCategory", categories],
          ["overview.topContainers", containers],
        ] as const
      ).map(([name, bars]) => (
        <section className="card" key={name}>
          <h2>{t(name)}</h2>
          <Bars label={t(name)} bars={bars} />
        </section>
      ))}
    </div>
  );
}
