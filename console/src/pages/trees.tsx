import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { type Container, answer, api } from "../api/client";
import { SearchBox } from "../components/alert-filters";
import { Failed, Loading, Nothing, Raw } from "../components/bits";
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
    const byIdentity = new Map<string, Container[]>();
    for (const row of asked.data?.containers ?? [])
      byIdentity.set(row.identity, [...(byIdentity.get(row.identity) ?? []), row]);
    return [...byIdentity].sort(([a], [b]) => a.localeCompare(b));
  }, [asked.data]);
  return (
    <div className="page-list">
      <div className="filters">
        <h1>{t("tree.title")}</h1>
        <SearchBox label={t("containers.search")} />
      </div>
      {asked.isPending && <Loading />}
      {asked.isError && <Failed error={asked.error} retry={() => void asked.refetch()} />}
      {asked.isSuccess && profiles.length === 0 && (
        <Nothing title={t("containers.none")}>
          <p>{t("containers.noneText")}</p>
        </Nothing>
      )}
      {profiles.length > 0 && (
        <div className="card scroll">
          <table>
            <thead>
              <tr>
                <th>{t("detail.profile")}</th>
                <th>{t("containers.phase")}</th>
                <th>{t("containers.learned")}</th>
                <th>{t("nav.containers")}</th>
              </tr>
            </thead>
            <tbody>
              {profiles.map(([identity, rows]) => {
                const [one] = rows;
                return (
                  one && (
                    <tr key={identity}>
                      <td>
                        <Link to={`/trees/${encodeURIComponent(identity)}`}>
                          <Raw value={identity} />
                        </Link>
                      </td>
                      <td>
                        <span className="tag">{t(`phase.${one.phase}`)}</span>
                      </td>
                      <td>
                        <LearningState learning={one.learning} />
                      </td>
                      <td>{rows.length}</td>
                    </tr>
                  )
                );
              })}
            </tbody>
          </table>
        </div>
      )}
    </div>
  );
}
