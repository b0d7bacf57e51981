import { useInfiniteQuery } from "@tanstack/react-query";
import { createColumnHelper, type ColumnDef } from "@tanstack/react-table";
import { useMemo } from "react";
import { useTranslation } from "react-i18next";
import { useNavigate } from "react-router";
import { type Incident, type Priority, answer, api } from "../api/client";
import { PrioritySelect } from "../components/filters";
import { Nothing, Raw } from "../components/bits";
import { List, agoColumn, more, priorityColumn } from "../components/list";
import { RowsExport } from "../components/rows-export";
import { Views } from "../components/views";
import { useNudged } from "../lib/nudge";
import { count } from "../lib/format";
import { useSearch } from "../lib/search";
import { alerts } from "../live/store";

const column = createColumnHelper<Incident>();

/** Alerts that belong together, one row a story. */
export function Component() {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const { get } = useSearch();
  const priority = get("priority");
  const asked = useInfiniteQuery({
    queryKey: ["incidents", priority],
    initialPageParam: "",
    queryFn: ({ pageParam, signal }) =>
      answer(
        api.GET("/api/incidents", {
          params: {
            query: {
              limit: 200,
              ...(priority ? { priority: priority as Priority } : {}),
              ...(pageParam ? { cursor: pageParam } : {}),
            },
          },
          signal,
        }),
      ),
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  });
  useNudged(alerts.listen, "incidents", 3000);
  const rows = useMemo(() => asked.data?.pages.flatMap((p) => p.incidents) ?? [], [asked.data]);
  const columns = useColumns();
  return (
    <div className="page-list">
      <div className="filters">
        <h1>{t("incidents.title")}</h1>
        <PrioritySelect />
        <RowsExport name="incidents" rows={rows} write={written} />
        <Views />
      </div>
      <List
        asked={asked}
        empty={
          <Nothing title={t("incidents.none")}>
            <p>{t("incidents.noneText")}</p>
          </Nothing>
        }
        rows={rows}
        label={t("incidents.title")}
        columns={columns}
        id={(row) => row.id}
        onOpen={(row) => void navigate(`/incidents/${encodeURIComponent(row.id)}`)}
        onEnd={() => more(asked)}
      />
    </div>
  );
}

/** An incident in a file. */
function written(one: Incident) {
  return {
    id: one.id,
    priority: one.priority,
    summary: one.summary.en,
    container: one.container.name || one.container.id,
    alerts: one.alerts_total,
    occurrences: one.count,
    first_seen: one.first_seen,
    last_seen: one.last_seen,
  };
}

function useColumns(): ColumnDef<Incident>[] {
  const { t, i18n } = useTranslation();
  const language = i18n.language;
  return useMemo(
    () =>
      [
        priorityColumn<Incident>(),
        column.display({
          id: "what",
          header: () => t("alerts.what"),
          cell: ({ row: { original: one } }) => (
            <a className="title" href={`/incidents/${encodeURIComponent(one.id)}`}>
              <Raw value={language === "zh" ? one.summary.zh : one.summary.en} mono={false} />
            </a>
          ),
          meta: { track: "minmax(0, 1fr)" },
        }),
        column.display({
          id: "container",
          header: () => t("alerts.container"),
          cell: ({ row: { original: one } }) => (
            <span className="cut">
              <Raw value={one.container.name || one.container.id} />
            </span>
          ),
          meta: { track: "minmax(0, 160px)", wide: true },
        }),
        column.accessor("alerts_total", {
          header: () => t("incidents.alerts"),
          cell: (cell) => <span className="number">{count(cell.getValue(), language)}</span>,
          meta: { track: "76px", wide: true },
        }),
        agoColumn<Incident>("last", t("alerts.last"), (one) => one.last_seen),
      ] as ColumnDef<Incident>[],
    [t, language],
  );
}
