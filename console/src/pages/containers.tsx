import { useQuery } from "@tanstack/react-query";
import { createColumnHelper, type ColumnDef } from "@tanstack/react-table";
import { useEffect, useMemo } from "react";
import { useTranslation } from "react-i18next";
import { Link, useNavigate } from "react-router";
import { type Container, type Priority, type Schema, answer, api } from "../api/client";
import { PrioritySelect, SearchBox } from "../components/filters";
import { Nothing, Raw, Severity } from "../components/bits";
import { List, agoColumn } from "../components/list";
import { RowsExport } from "../components/rows-export";
import { Views } from "../components/views";
import { PRIORITIES, rate, sum } from "../lib/format";
import { heard } from "../lib/now";
import { useSearch } from "../lib/search";

const column = createColumnHelper<Container>();

/** All containers, those that need somebody first. */
export function Component() {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const { get } = useSearch();
  const [q, priority] = [get("q"), get("priority")];
  const asked = useQuery({
    queryKey: ["containers", q, priority],
    queryFn: ({ signal }) => {
      const query = {
        ...(q ? { q } : {}),
        ...(priority ? { priority: priority as Priority } : {}),
      };
      return answer(api.GET("/api/containers", { params: { query }, signal }));
    },
    refetchInterval: 5_000,
  });
  useEffect(() => heard(asked.data?.generated), [asked.data?.generated]);
  const rows = useMemo(() => [...(asked.data?.containers ?? [])].sort(urgent), [asked.data]);
  const columns = useColumns();
  return (
    <div className="page-list">
      <div className="filters">
        <h1>{t("containers.title")}</h1>
        <SearchBox label={t("containers.search")} />
        <PrioritySelect />
        <RowsExport name="containers" rows={rows} write={written} />
        <Views />
      </div>
      <List
        asked={asked}
        empty={
          <Nothing title={t("containers.none")}>
            <p>{t("containers.noneText")}</p>
          </Nothing>
        }
        rows={rows}
        label={t("containers.title")}
        columns={columns}
        id={(row) => row.id}
        onOpen={(row) => void navigate(`/containers/${encodeURIComponent(row.id)}/logs`)}
      />
      {asked.data?.next_cursor && (
        <p className="muted">{t("more", { n: asked.data.total - rows.length })}</p>
      )}
    </div>
  );
}

/** A container in a file. */
function written(one: Container) {
  return {
    id: one.id,
    name: one.name,
    image: one.image,
    namespace: one.namespace,
    host: one.host,
    identity: one.identity,
    phase: one.phase,
    learned_percent: one.learning.progress,
    events_per_second: one.events_per_second,
    last_event: one.last_event,
    open_alerts: sum(one.open_alerts),
  };
}

function urgent(a: Container, b: Container): number {
  const worst = (row: Container) => {
    const at = PRIORITIES.findIndex((p) => (row.open_alerts[p] ?? 0) > 0);
    return at < 0 ? PRIORITIES.length : at;
  };
  return worst(a) - worst(b) || a.name.localeCompare(b.name) || (a.id < b.id ? -1 : 1);
}

/** How far learning is, and what it waits for. */
export function LearningState({ learning }: { learning: Schema["Learning"] }) {
  const { t } = useTranslation();
  const percent = Math.max(0, Math.min(100, learning.progress));
  const waits = learning.waiting_for.map((word) => {
    const [what = "", branch = ""] = word.split(":");
    return t(`wait.${what as "novelty"}`, {
      b: t(`branch.${branch as "file"}`, branch),
      defaultValue: word,
    });
  });
  const under = learning.partial ? t("wait.partial") : waits.join(", ");
  return (
    <span className="two">
      <span className="progress">
        <span aria-hidden="true">
          <i style={{ width: `${percent}%` }} />
        </span>
        {Math.floor(percent)} %
      </span>
      {under && (
        <span className="under" title={under}>
          {under}
        </span>
      )}
    </span>
  );
}

/** Open alerts by priority, the worst first. */
export function OpenAlerts({ counts }: { counts: Record<string, number> }) {
  const some = PRIORITIES.filter((p) => (counts[p] ?? 0) > 0);
  if (some.length === 0) return <span className="muted">–</span>;
  return (
    <span className="counts">
      {some.slice(0, 3).map((p) => (
        <span key={p}>
          <Severity priority={p} bare /> {counts[p]}
        </span>
      ))}
    </span>
  );
}

function useColumns(): ColumnDef<Container>[] {
  const { t, i18n } = useTranslation();
  const language = i18n.language;
  return useMemo(
    () =>
      [
        column.display({
          id: "name",
          header: () => t("alerts.container"),
          cell: ({ row: { original: one } }) => (
            <span className="two">
              <Link className="title" to={`/containers/${encodeURIComponent(one.id)}/logs`}>
                <Raw value={one.name || one.short_id} mono={false} />
              </Link>
              <span className="under">
                <Raw
                  value={[one.image, one.namespace || one.host].filter(Boolean).join(" · ")}
                  mono={false}
                />
              </span>
            </span>
          ),
          meta: { track: "minmax(0, 1fr)" },
        }),
        column.accessor("phase", {
          header: () => t("containers.phase"),
          cell: (cell) => <span className="tag">{t(`phase.${cell.getValue()}`)}</span>,
          meta: { track: "96px" },
        }),
        column.accessor("learning", {
          header: () => t("containers.learned"),
          cell: (cell) => <LearningState learning={cell.getValue()} />,
          meta: { track: "190px", wide: true },
        }),
        column.accessor("events_per_second", {
          header: () => t("containers.rate"),
          cell: (cell) => <span className="number">{rate(cell.getValue(), language)}</span>,
          meta: { track: "80px", wide: true },
        }),
        agoColumn<Container>("last", t("containers.last"), (one) => one.last_event, true),
        column.accessor("open_alerts", {
          header: () => t("containers.open"),
          cell: (cell) => <OpenAlerts counts={cell.getValue()} />,
          meta: { track: "130px", tiny: "80px" },
        }),
      ] as ColumnDef<Container>[],
    [t, language],
  );
}
