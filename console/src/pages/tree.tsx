import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { App } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Link, useParams } from "react-router";
import { type Schema, answer, api } from "../api/client";
import { Exports } from "../components/alert-filters";
import { Failed, Loading, Nothing, Raw } from "../components/bits";
import { Tree } from "../components/tree";
import { count, moment } from "../lib/format";
import type { Line } from "../lib/outline";
import { useSearch } from "../lib/search";
import { shown } from "../lib/untrusted";

const VIEWS = [
  ["", "tree.viewTree"],
  ["diff", "tree.viewDiff"],
  ["quarantine", "tree.viewQuarantine"],
] as const;

/** One profile's tree: now or as it was, what changed, and what waits for a person. */
export function Component() {
  const { t, i18n } = useTranslation();
  const { id = "" } = useParams();
  const { get, set } = useSearch();
  const view = get("view");
  const history = useQuery({
    queryKey: ["history", id],
    queryFn: ({ signal }) =>
      answer(api.GET("/api/hbt/{id}/history", { params: { path: { id } }, signal })),
    refetchInterval: 60_000,
  });
  const snapshots = history.data?.snapshots ?? [];
  // What has changed since the beginning is asked most.
  const from = get("from") || (snapshots.at(-1)?.time ?? "");
  const option = (snapshot: Schema["Snapshot"]) => (
    <option key={snapshot.time} value={snapshot.time ?? ""}>
      {moment(snapshot.time, i18n.language)} ·{" "}
      {t("tree.nodes", { n: count(snapshot.nodes, i18n.language) })}
    </option>
  );
  return (
    <>
      <p>
        <Link to="/trees">← {t("tree.title")}</Link>
      </p>
      <h1>
        <Raw value={id} most={200} mono={false} />
      </h1>
      <div className="filters">
        <div className="tabs" role="group" aria-label={t("tree.view")}>
          {VIEWS.map(([word, name]) => (
            <button
              key={name}
              type="button"
              aria-pressed={view === word}
              onClick={() => set({ view: word })}
            >
              {t(name)}
            </button>
          ))}
        </div>
        {view !== "quarantine" && snapshots.length === 0 && history.isSuccess && (
          <span className="muted">{t("tree.noHistory")}</span>
        )}
        {view === "diff" && snapshots.length > 0 && (
          <label>
            {t("tree.compare")}{" "}
            <select
              className="input"
              value={get("from")}
              onChange={(event) => set({ from: event.target.value })}
            >
              <option value="">{t("tree.baseline")}</option>
              {snapshots.map(option)}
            </select>
          </label>
        )}
        {view !== "quarantine" && snapshots.length > 0 && (
          <label>
            {t("tree.choose")}{" "}
            <select
              className="input"
              value={get("at")}
              onChange={(event) => set({ at: event.target.value })}
            >
              <option value="">{t("tree.now")}</option>
              {snapshots.map(option)}
            </select>
          </label>
        )}
        <Exports path="/api/export/hbt" values={{ container_id: id }} />
      </div>
      {view === "" && <Outline id={id} at={get("at")} />}
      {view === "diff" && from !== "" && <Diff id={id} from={from} to={get("at")} />}
      {view === "quarantine" && <Quarantine id={id} />}
    </>
  );
}

function Outline({ id, at }: { id: string; at: string }) {
  const { t } = useTranslation();
  const [chosen, setChosen] = useState<Line | null>(null);
  return (
    <div className={chosen ? "beside" : "beside alone"}>
      <section aria-label={t("tree.outline")}>
        <Tree id={id} at={at || undefined} onChoose={setChosen} />
      </section>
      {chosen && <Chosen line={chosen} />}
    </div>
  );
}

function Chosen({ line }: { line: Line }) {
  const { t, i18n } = useTranslation();
  const { node } = line;
  const { examples, first_seen, last_seen } = node.metadata as {
    examples?: unknown[];
    first_seen?: string;
    last_seen?: string;
  };
  const rows: [string, string][] = [
    [t("tree.type"), node.type],
    [t("tree.events"), count(node.events_count, i18n.language)],
    [t("tree.first"), moment(first_seen, i18n.language)],
    [t("tree.last"), moment(last_seen, i18n.language)],
    [t("tree.node"), line.pointer],
  ];
  return (
    <aside className="panel" aria-label={t("tree.node")}>
      <h2>
        <Raw value={node.name} most={2000} />
      </h2>
      <dl className="pairs">
        {rows.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>
              <Raw value={value} most={2000} />
            </dd>
          </div>
        ))}
      </dl>
      {examples && examples.length > 0 && (
        <>
          <h3>{t("tree.examples")}</h3>
          <ul className="lines">
            {examples.map((example, i) => (
              <li key={i}>
                <Raw value={typeof example === "string" ? example : JSON.stringify(example)} />
              </li>
            ))}
          </ul>
        </>
      )}
      <details>
        <summary>JSON</summary>
        <pre tabIndex={0} aria-label="JSON">
          {shown(JSON.stringify(node.metadata, null, 2), 4000, true)}
        </pre>
      </details>
    </aside>
  );
}

function Diff({ id, from, to }: { id: string; from: string; to: string }) {
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
    <div className="card scroll diff">
      <p>
        <b className="new">{t("tree.added", { n: added.length })}</b>{" "}
        <b className="gone">{t("tree.removed", { n: removed.length })}</b>
      </p>
      <table>
        <tbody>
          {lines.map((line) => (
            <tr key={`${line.sort} ${line.pointer}`}>
              <td className={line.sort}>
                {line.sort === "new" ? "+" : "−"}{" "}
                {t(line.sort === "new" ? "tree.new" : "tree.gone")}
              </td>
              <td>
                <Raw
                  value={line.pointer
                    .split("/")
                    .slice(1)
                    .join(" › ")
                    .replaceAll("~1", "/")
                    .replaceAll("~0", "~")}
                />
              </td>
              <td className="number">
                {t("times", { n: count(line.events_count, i18n.language) })}
              </td>
              <td className="number">{t("tree.nodes", { n: count(line.nodes, i18n.language) })}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {left_out > 0 && <p className="muted">{t("tree.leftOutDiff", { n: left_out })}</p>}
    </div>
  );
}

function Quarantine({ id }: { id: string }) {
  const { t } = useTranslation();
  const { message } = App.useApp();
  const client = useQueryClient();
  const asked = useQuery({
    queryKey: ["quarantine", id],
    queryFn: ({ signal }) =>
      answer(api.GET("/api/hbt/{id}/quarantine", { params: { path: { id } }, signal })),
  });
  const decide = useMutation({
    mutationFn: ({ item, word }: { item: string; word: "accept" | "reject" }) =>
      answer(
        api.POST(
          `/api/hbt/{id}/quarantine/{item}/${word}` as "/api/hbt/{id}/quarantine/{item}/accept",
          {
            params: { path: { id, item } },
            body: {},
          },
        ),
      ),
    onSuccess: () => client.invalidateQueries({ queryKey: ["quarantine", id] }),
    onError: (error) => void message.error(shown(error.message, 300)),
  });
  if (asked.isPending) return <Loading />;
  if (asked.isError) return <Failed error={asked.error} retry={() => void asked.refetch()} />;
  if (asked.data.quarantine.length === 0)
    return (
      <Nothing title={t("tree.quarantineNone")}>
        <p>{t("tree.quarantineText")}</p>
      </Nothing>
    );
  return (
    <div className="card scroll">
      <p className="muted">{t("tree.quarantineText")}</p>
      <table>
        <tbody>
          {asked.data.quarantine.map((one) => (
            <tr key={one.id}>
              <td>
                <Raw value={one.rule} mono={false} />
              </td>
              <td>
                <Raw value={one.what} />
              </td>
              <td className="number">{t("tree.seconds", { n: one.seconds })}</td>
              <td>
                {one.accepted || one.rejected ? (
                  <span className="tag">
                    {t(one.accepted ? "tree.accepted" : "tree.rejected", { by: shown(one.by, 60) })}
                  </span>
                ) : (
                  (["accept", "reject"] as const).map((word) => (
                    <button
                      key={word}
                      type="button"
                      className="button small"
                      disabled={decide.isPending}
                      onClick={() => decide.mutate({ item: one.id, word })}
                    >
                      {t(`tree.${word}`)}
                    </button>
                  ))
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
