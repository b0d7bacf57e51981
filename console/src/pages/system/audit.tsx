import { useInfiniteQuery } from "@tanstack/react-query";
import { type ColumnDef, createColumnHelper } from "@tanstack/react-table";
import { useMemo } from "react";
import { useTranslation } from "react-i18next";
import { type Schema, answer, api } from "../../api/client";
import { Nothing, Raw } from "../../components/bits";
import { List, more } from "../../components/list";
import { RowsExport } from "../../components/rows-export";
import { moment } from "../../lib/format";

type Entry = Schema["AuditEntry"];
const column = createColumnHelper<Entry>();

/** Who did what, newest first, as far back as one scrolls. */
export function Audit() {
  const { t, i18n } = useTranslation();
  const asked = useInfiniteQuery({
    queryKey: ["audit"],
    initialPageParam: "",
    queryFn: ({ pageParam, signal }) => {
      const query = { limit: 200, ...(pageParam ? { cursor: pageParam } : {}) };
      return answer(api.GET("/api/audit", { params: { query }, signal }));
    },
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  });
  const rows = useMemo(() => asked.data?.pages.flatMap((page) => page.audit) ?? [], [asked.data]);
  const columns = useMemo(
    () =>
      [
        column.accessor("at", {
          header: t("system.at"),
          cell: (cell) => <span className="number">{moment(cell.getValue(), i18n.language)}</span>,
          meta: { track: "150px", tiny: "136px" },
        }),
        column.accessor("by", {
          header: t("system.by"),
          cell: (cell) => <Raw value={cell.getValue()} mono={false} />,
          meta: { track: "minmax(0, 140px)", wide: true },
        }),
        column.accessor("action", {
          header: t("system.action"),
          cell: (cell) => <Raw value={cell.getValue()} mono={false} />,
          meta: { track: "minmax(0, 170px)", tiny: "minmax(0, 1fr)" },
        }),
        column.accessor("object", {
          header: t("system.object"),
          cell: (cell) => <Raw value={cell.getValue()} />,
          meta: { track: "minmax(0, 1fr)", wide: true },
        }),
        column.accessor("outcome", {
          header: t("system.outcome"),
          cell: (cell) => (
            <span className={cell.getValue() === "ok" ? "" : "bad"}>{cell.getValue()}</span>
          ),
          meta: { track: "90px", tiny: "60px" },
        }),
      ] as ColumnDef<Entry>[],
    [t, i18n.language],
  );
  return (
    <>
      <div className="filters">
        <RowsExport
          name="audit"
          rows={rows}
          write={({ at, by, action, object, outcome }) => ({ at, by, action, object, outcome })}
        />
        <span className="muted">{t("system.auditLoaded", { n: rows.length })}</span>
      </div>
      <List
        asked={asked}
        empty={<Nothing title={t("none")} />}
        rows={rows}
        label={t("system.audit")}
        columns={columns}
        id={(one) => String(one.sequence)}
        onEnd={() => more(asked)}
      />
    </>
  );
}
