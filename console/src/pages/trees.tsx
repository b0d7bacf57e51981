import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { type Container, answer, api } from "../api/client";
import { SearchBox } from "../components/filters";
import { Nothing, Raw } from "../components/bits";
import { Table } from "../components/table";
import { useSearch } from "../lib/search";
import { LearningState } from "./containers";

/** Profiles, each with its tree. */
export function Component() {
  const { t } = useTranslation();
  const { get } = useSearch();
  const q = get("q");
  const asked = useQuery({
    queryKey: ["containers", q, ""],
    queryFn: ({ signal }) =>
      answer(api.GET("/api/containers", { params: { query: q ? { q } : {} }, signal })),
    refetchInterval: 15_000,
  });
  const profiles = useMemo(() => {
    const byIdentity = new Map<string, [Container, ...Container[]]>();
    for (const row of asked.data?.containers ?? []) {
      const rows = byIdentity.get(row.identity);
      if (rows) rows.push(row);
      else byIdentity.set(row.identity, [row]);
    }
    return [...byIdentity].sort(([a], [b]) => a.localeCompare(b));
  }, [asked.data]);
  return (
    <div className="page-list">
      <div className="filters">
        <h1>{t("tree.title")}</h1>
        <SearchBox label={t("containers.search")} />
      </div>
      <Table
        label={t("tree.profiles")}
        asked={asked}
        rows={profiles}
        id={([identity]) => identity}
        empty={
          <Nothing title={t("containers.none")}>
            <p>{t("containers.noneText")}</p>
          </Nothing>
        }
        columns={[
          {
            head: t("detail.profile"),
            cell: ([identity]) => (
              <Link to={`/trees/${encodeURIComponent(identity)}`}>
                <Raw value={identity} />
              </Link>
            ),
          },
          {
            head: t("containers.phase"),
            cell: ([, [one]]) => <span className="tag">{t(`phase.${one.phase}`)}</span>,
          },
          {
            head: t("containers.learned"),
            cell: ([, [one]]) => <LearningState learning={one.learning} />,
          },
          { head: t("nav.containers"), cell: ([, rows]) => rows.length },
        ]}
      />
    </div>
  );
}
