import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { App } from "antd";
import { useTranslation } from "react-i18next";
import { type Schema, answer, api } from "../../api/client";
import { Nothing, Raw } from "../../components/bits";
import { Table } from "../../components/table";
import { shown } from "../../lib/untrusted";

type Word = "accept" | "reject";
const ROUTE = "/api/hbt/{id}/quarantine/{item}/accept";

/** Dangerous behaviour seen while learning, for a person to decide. */
export function Quarantine({ id }: { id: string }) {
  const { t } = useTranslation();
  const { message } = App.useApp();
  const client = useQueryClient();
  const asked = useQuery({
    queryKey: ["quarantine", id],
    queryFn: ({ signal }) =>
      answer(api.GET("/api/hbt/{id}/quarantine", { params: { path: { id } }, signal })),
  });
  const decide = useMutation({
    mutationFn: ({ item, word }: { item: string; word: Word }) => {
      const params = { path: { id, item } };
      const route = ROUTE.replace("accept", word) as typeof ROUTE;
      return answer(api.POST(route, { params, body: {} }));
    },
    onSuccess: () => client.invalidateQueries({ queryKey: ["quarantine", id] }),
    onError: (error) => void message.error(shown(error.message, 300)),
  });
  const decision = (one: Schema["QuarantineItem"]) => {
    const decided = one.accepted ? "tree.accepted" : "tree.rejected";
    if (one.accepted || one.rejected)
      return <span className="tag">{t(decided, { by: shown(one.by, 60) })}</span>;
    return (["accept", "reject"] as const).map((word) => (
      <button
        key={word}
        type="button"
        className="button small"
        disabled={decide.isPending}
        onClick={() => decide.mutate({ item: one.id, word })}
      >
        {t(`tree.${word}`)}
      </button>
    ));
  };
  const rows = asked.data?.quarantine;
  return (
    <div className={rows?.length === 0 ? "" : "card"}>
      {rows && rows.length > 0 && <p className="muted">{t("tree.quarantineText")}</p>}
      <Table
        label={t("tree.viewQuarantine")}
        asked={asked}
        rows={rows}
        id={(one) => one.id}
        empty={
          <Nothing title={t("tree.quarantineNone")}>
            <p>{t("tree.quarantineText")}</p>
          </Nothing>
        }
        columns={[
          { head: t("filter.rule"), cell: (one) => <Raw value={one.rule} mono={false} /> },
          { head: t("alerts.what"), cell: (one) => <Raw value={one.what} /> },
          {
            head: t("tree.lasted"),
            cell: (one) => t("tree.seconds", { n: one.seconds }),
            tone: () => "number",
          },
          { head: t("tree.decision"), cell: decision },
        ]}
      />
    </div>
  );
}
