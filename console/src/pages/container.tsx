import { useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { Link, NavLink, useNavigate, useParams } from "react-router";
import { type Schema, answer, api } from "../api/client";
import { AlertList } from "../components/alert-list";
import { Ago, Failed, Loading, Raw } from "../components/bits";
import { Logs } from "../components/logs";
import { Table } from "../components/table";
import { Tree } from "../components/tree";
import { count, rate } from "../lib/format";
import { useSearch } from "../lib/search";
import { LearningState, OpenAlerts } from "./containers";

/** One container: its logs or its alerts, and its behaviour tree beside both. */
export function Component() {
  const { t } = useTranslation();
  const { id = "", tab = "logs" } = useParams();
  const { get, set } = useSearch();
  const client = useQueryClient();
  const asked = useQuery({
    queryKey: ["container", id],
    queryFn: ({ signal }) =>
      answer(api.GET("/api/containers/{id}", { params: { path: { id } }, signal })),
    refetchInterval: 5_000,
  });
  const base = `/containers/${encodeURIComponent(id)}`;
  const back = <Top key={id} />;
  if (asked.isPending) return <Loading lines={12} />;
  if (!asked.data)
    return (
      <>
        {back}
        <h1>
          <Raw value={id} most={100} mono={false} />
        </h1>
        <Failed error={asked.error} retry={() => void asked.refetch()} />
      </>
    );
  const { container, profile } = asked.data;
  // An alert's own panel takes the tree's place.
  const tree = get("tree") !== "off" && !(tab === "alerts" && get("id"));
  return (
    <>
      {back}
      <div className="head">
        <h1>
          <Raw value={container.name || container.short_id} mono={false} />
        </h1>
        <span className="tag">{t(`phase.${container.phase}`)}</span>
        <OpenAlerts counts={container.open_alerts} />
        <span className="muted">
          <Raw value={`${container.short_id} · ${container.image} · ${container.host}`} />
        </span>
      </div>
      <Facts container={container} profile={profile} />
      <div className="filters">
        <nav className="tabs" aria-label={t("container.profile")}>
          <NavLink to={`${base}/logs`}>{t("container.logs")}</NavLink>
          <NavLink to={`${base}/alerts`}>{t("container.alerts")}</NavLink>
        </nav>
        <button
          type="button"
          className="button aside"
          aria-pressed={tree}
          onClick={() => set({ tree: get("tree") === "off" ? null : "off" }, true)}
        >
          {t("tree.panel")}
        </button>
      </div>
      <div className={tree ? "beside" : "beside alone"}>
        {tab === "alerts" ? (
          <AlertList
            container={container.id}
            refresh={() => void client.invalidateQueries({ queryKey: ["alerts"] })}
          />
        ) : (
          <Logs id={container.id} />
        )}
        {tree && (
          <section aria-label={t("tree.panel")}>
            <Tree
              id={container.id}
              onChoose={({ node }) => {
                // Leaves are what events are about; the word is looked for in the log.
                if (tab === "logs" && Object.keys(node.children).length === 0)
                  set({ q: node.name.replace(/[<*].*$/, "") });
              }}
            />
          </section>
        )}
      </div>
    </>
  );
}

/** The way back to all, and to another one by what somebody has copied. */
function Top() {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const [other, setOther] = useState("");
  const go = (event: FormEvent) => {
    event.preventDefault();
    void navigate(`/containers/${encodeURIComponent(other.trim())}/logs`);
  };
  return (
    <div className="filters">
      <Link to="/containers">← {t("container.back")}</Link>
      <form className="aside goto" onSubmit={go} role="search">
        <input
          className="input mono"
          required
          maxLength={200}
          value={other}
          placeholder={t("container.goto")}
          aria-label={t("container.goto")}
          onChange={(event) => setOther(event.target.value)}
        />
        <button type="submit" className="button" disabled={other.trim() === ""}>
          {t("container.go")}
        </button>
      </form>
    </div>
  );
}

interface FactsProps {
  container: Schema["ContainerRow"];
  profile: Schema["Profile"] | null;
}

function Facts({ container, profile }: FactsProps) {
  const { t, i18n } = useTranslation();
  const number = (n: number) => count(n, i18n.language);
  return (
    <details className="facts card">
      <summary>
        {t("containers.learned")}: {Math.floor(container.learning.progress)} % ·{" "}
        {t("containers.rate")}: {rate(container.events_per_second, i18n.language)} ·{" "}
        {t("containers.last")}: <Ago time={container.last_event} />
      </summary>
      <LearningState learning={container.learning} />
      <Table
        label={t("container.branch")}
        rows={container.learning.branches}
        id={(branch) => branch.branch}
        columns={[
          { head: t("container.branch"), cell: (one) => t(`branch.${one.branch as "file"}`) },
          { head: t("container.events"), cell: (one) => number(one.events) },
          { head: t("container.paths"), cell: (one) => number(one.paths) },
          { head: t("container.singletons"), cell: (one) => number(one.singletons) },
          { head: t("container.unseen"), cell: (one) => `${(100 * one.unseen).toFixed(1)} %` },
        ]}
      />
      {profile && (
        <dl className="pairs">
          <div>
            <dt>{t("container.nodes")}</dt>
            <dd>{number(profile.nodes)}</dd>
          </div>
          <div>
            <dt>{t("container.deviations")}</dt>
            <dd>{number(profile.deviations)}</dd>
          </div>
          <div>
            <dt>{t("container.revisions")}</dt>
            <dd>
              {profile.revisions.map((image) => (
                <div key={image}>
                  <Raw value={image} />
                </div>
              ))}
            </dd>
          </div>
          {profile.diffs.map((diff) => (
            <div key={`${diff.image} ${diff.since ?? ""}`}>
              <dt>
                <Raw value={diff.image} />
              </dt>
              <dd>{t("container.diff", { n: number(diff.additions_total) })}</dd>
            </div>
          ))}
        </dl>
      )}
    </details>
  );
}
