import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { type Schema, answer, api } from "../../api/client";
import { useSession } from "../../api/session";
import { Ago, Nothing, Raw } from "../../components/bits";
import { RowsExport } from "../../components/rows-export";
import { Table } from "../../components/table";
import { moment } from "../../lib/format";
import { State, useEnd } from "./end";
import { NewToken } from "./new-token";

/** Who may come in with a token, and a way to make one and to end one. */
export function Tokens() {
  const { t, i18n } = useTranslation();
  const open = useSession((session) => session.me?.authentication === "none");
  const [making, setMaking] = useState(false);
  const asked = useQuery({
    queryKey: ["tokens"],
    queryFn: ({ signal }) => answer(api.GET("/api/tokens", { signal })),
  });
  const revoke = useEnd("tokens", (id) =>
    answer(api.DELETE("/api/tokens/{id}", { params: { path: { id } }, body: {} })),
  );
  return (
    <section className="card">
      <div className="filters">
        <button type="button" className="button primary" onClick={() => setMaking(true)}>
          {t("tokens.new")}
        </button>
        <RowsExport
          name="tokens"
          rows={asked.data?.tokens ?? []}
          write={({ scope, ...one }) => ({
            ...one,
            containers: scope.containers.join(" "),
            namespaces: scope.namespaces.join(" "),
          })}
        />
        {open && <span className="muted">{t("tokens.open")}</span>}
      </div>
      {making && <NewToken close={() => setMaking(false)} />}
      <Table
        label={t("system.tokens")}
        asked={asked}
        rows={asked.data?.tokens}
        id={(one) => one.id}
        empty={
          <Nothing title={t("tokens.none")}>
            <p>{t("tokens.noneText")}</p>
          </Nothing>
        }
        columns={[
          { head: t("tokens.name"), cell: (one) => <Raw value={one.name} mono={false} /> },
          { head: t("tokens.role"), cell: (one) => t(`role.${one.role as "viewer"}`) },
          { head: t("system.scope"), cell: ({ scope }) => <ScopeWords scope={scope} /> },
          { head: t("system.by"), cell: (one) => <Raw value={one.created_by} mono={false} /> },
          {
            head: t("system.expires"),
            cell: (one) => (one.expires ? moment(one.expires, i18n.language) : t("system.never")),
          },
          {
            head: t("tokens.used"),
            cell: (one) => (one.last_used ? <Ago time={one.last_used} /> : t("system.never")),
          },
          {
            head: t("system.state"),
            cell: (one) => (
              <State
                active={one.active}
                busy={revoke.isPending}
                end={() => revoke.mutate(one.id)}
                route="DELETE /api/tokens/{id}"
                word={t("tokens.revoke")}
              />
            ),
          },
        ]}
      />
    </section>
  );
}

function ScopeWords({ scope }: { scope: Schema["Scope"] }) {
  const { t } = useTranslation();
  const words = [
    ...scope.namespaces.map((one) => `${t("tokens.namespace")} ${one}`),
    ...scope.containers.map((one) => `${t("filter.container")} ${one}`),
  ];
  return words.length === 0 ? <>{t("tokens.everything")}</> : <Raw value={words.join(", ")} />;
}
