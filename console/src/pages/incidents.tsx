import { useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { createColumnHelper, type ColumnDef } from "@tanstack/react-table";
import { useEffect, useMemo } from "react";
import { useTranslation } from "react-i18next";
import { useNavigate } from "react-router";
import { type Incident, type Priority, answer, api } from "../api/client";
import { PrioritySelect } from "../components/alert-filters";
import { Ago, Failed, Loading, Nothing, Raw, Severity } from "../components/bits";
import { Grid } from "../components/grid";
import { count } from "../lib/format";
import { useSearch } from "../lib/search";
import { alerts } from "../live/store";

const column = createColumnHelper<Incident>();

/** Alerts that belong together, one row a story. */
export function Component() {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const client = useQueryClient();
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
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const leave = alerts.listen(() => {
      timer ??= setTimeout(() => {
        timer = undefined;
        void client.invalidateQueries({ queryKey: ["incidents"] });
      }, 3000);
    });
    return () => {
      leave();
      clearTimeout(timer);
    };
  }, [client]);
  const rows = useMemo(() => asked.data?.pages.flatMap((p) => p.incidents) ?? [], [asked.data]);
  const columns = useColumns();
  return (
    <div className="page-list">
      <div className="filters">
        <h1>{t("incidents.title")}</h1>
        <PrioritySelect />
      </div>
      {asked.isPending && <Loading lines={10} />}
      {asked.isError && <Failed error={asked.error} retry={() => void asked.refetch()} />}
      {asked.isSuccess && rows.length === 0 && (
        <Nothing title={t("incidents.none")}>
          <p>{t("incidents.noneText")}</p>
        </Nothing>
      )}
      {rows.length > 0 && (
        <div className="grid-box">
          <Grid
            label={t("incidents.title")}
            columns={columns}
            count={rows.length}
            at={(index) => rows[index]}
            id={(row) => row.id}
            height={46}
            version={rows}
            onOpen={(row) => void navigate(`/incidents/${encodeURIComponent(row.id)}`)}
            onEnd={() => {
              if (asked.hasNextPage && !asked.isFetching) void asked.fetchNextPage();
            }}
          />
        </div>
      )}
    </div>
  );
}

function useColumns(): ColumnDef<Incident>[] {
  const { t, i18n } = useTranslation();
  const language = i18n.language;
  return useMemo(
    () =>
      [
        column.accessor("priority", {
          header: () => t("priority.label"),
          cell: (cell) => <Severity priority={cell.getValue()} />,
          meta: { track: "112px", tiny: "20px" },
        }),
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
        column.accessor("last_seen", {
          header: () => t("alerts.last"),
          cell: (cell) => (
            <span className="number">
              <Ago time={cell.getValue()} />
            </span>
          ),
          meta: { track: "98px", tiny: "74px" },
        }),
      ] as ColumnDef<Incident>[],
    [t, language],
  );
}
