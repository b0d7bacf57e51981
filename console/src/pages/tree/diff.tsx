import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { answer, api } from "../../api/client";
import { Failed, Loading, Raw } from "../../components/bits";
import { Table } from "../../components/table";
import { count } from "../../lib/format";

/** A pointer as a path that a person reads. */
function steps(pointer: string): string {
  return pointer.split("/").slice(1).join(" › ").replaceAll("~1", "/").replaceAll("~0", "~");
}

interface Props {
  id: string;
  from: string;
  to: string;
}

/** What one tree has that another has not. */
export function Diff({ id, from, to }: Props) {
  const { t, i18n } = useTranslation();
  const asked = useQuery({
    queryKey: ["diff", id, from, to],
    queryFn: ({ signal }) => {
      const params = { path: { id }, query: { from, ...(to ? { to } : {}) } };
      return answer(api.GET("/api/hbt/{id}/diff", { params, signal }));
    },
  });
  if (asked.isPending) return <Loading />;
  if (asked.isError) return <Failed error={asked.error} retry={() => void asked.refetch()} />;
  const { added, removed, left_out } = asked.data;
  if (added.length + removed.length === 0)
    return (
      <div className="nothing" role="status">
        {t("tree.same")}
      </div>
    );
  const lines = [
    ...added.map((one) => ({ ...one, sort: "new" as const })),
    ...removed.map((one) => ({ ...one, sort: "gone" as const })),
  ].sort((a, b) => (a.pointer < b.pointer ? -1 : 1));
  return (
    <div className="card diff">
      <p>
        <b className="new">{t("tree.added", { n: added.length })}</b>{" "}
        <b className="gone">{t("tree.removed", { n: removed.length })}</b>
      </p>
      <Table
        label={t("tree.viewDiff")}
        rows={lines}
        id={(line) => `${line.sort} ${line.pointer}`}
        columns={[
          {
            head: t("tree.change"),
            cell: ({ sort }) => `${sort === "new" ? "+" : "−"} ${t(`tree.${sort}`)}`,
            tone: ({ sort }) => sort,
          },
          { head: t("tree.node"), cell: ({ pointer }) => <Raw value={steps(pointer)} /> },
          {
            head: t("container.events"),
            cell: (line) => t("times", { n: count(line.events_count, i18n.language) }),
            tone: () => "number",
          },
          {
            head: t("container.nodes"),
            cell: (line) => t("tree.nodes", { n: count(line.nodes, i18n.language) }),
            tone: () => "number",
          },
        ]}
      />
      {left_out > 0 && <p className="muted">{t("tree.leftOutDiff", { n: left_out })}</p>}
    </div>
  );
}
