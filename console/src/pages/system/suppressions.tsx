import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { answer, api } from "../../api/client";
import { Nothing, Raw } from "../../components/bits";
import { RowsExport } from "../../components/rows-export";
import { Table } from "../../components/table";
import { moment } from "../../lib/format";
import { State, useEnd } from "./end";

/** What is recorded and not shown as open, until when, and who decided it. */
export function Suppressions() {
  const { t, i18n } = useTranslation();
  const asked = useQuery({
    queryKey: ["suppressions"],
    queryFn: ({ signal }) => answer(api.GET("/api/suppressions", { signal })),
  });
  const end = useEnd("suppressions", (id) =>
    answer(api.DELETE("/api/suppressions/{id}", { params: { path: { id } }, body: {} })),
  );
  return (
    <section className="card">
      <div className="filters">
        <RowsExport
          name="suppressions"
          rows={asked.data?.suppressions ?? []}
          write={({ id, scope, value, note, by, expires, active }) => ({
            id,
            scope,
            value,
            note,
            by,
            expires,
            active,
          })}
        />
      </div>
      <Table
        label={t("system.suppressions")}
        asked={asked}
        rows={asked.data?.suppressions}
        id={(one) => one.id}
        empty={
          <Nothing title={t("system.noSuppressions")}>
            <p>{t("system.noSuppressionsText")}</p>
          </Nothing>
        }
        columns={[
          { head: t("system.scope"), cell: (one) => t(`scope.${one.scope}`) },
          { head: t("system.value"), cell: (one) => <Raw value={one.value} /> },
          { head: t("system.why"), cell: (one) => <Raw value={one.note} mono={false} /> },
          { head: t("system.by"), cell: (one) => <Raw value={one.by} mono={false} /> },
          {
            head: t("system.expires"),
            cell: (one) => (one.expires ? moment(one.expires, i18n.language) : t("system.never")),
          },
          {
            head: t("system.state"),
            cell: (one) => (
              <State
                active={one.active}
                busy={end.isPending}
                end={() => end.mutate(one.id)}
                route="DELETE /api/suppressions/{id}"
              />
            ),
          },
        ]}
      />
    </section>
  );
}
