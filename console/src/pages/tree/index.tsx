import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Link, useParams } from "react-router";
import { type Schema, answer, api } from "../../api/client";
import { Raw } from "../../components/bits";
import { Exports } from "../../components/filters";
import { Tree } from "../../components/tree";
import { count, moment } from "../../lib/format";
import type { Line } from "../../lib/outline";
import { useSearch } from "../../lib/search";
import { Diff } from "./diff";
import { Chosen } from "./node";
import { Picture } from "./picture";
import { Quarantine } from "./quarantine";

const VIEWS = [
  ["", "tree.viewTree"],
  ["map", "tree.viewMap"],
  ["chart", "tree.viewChart"],
  ["diff", "tree.viewDiff"],
  ["quarantine", "tree.viewQuarantine"],
] as const;

/** One profile's tree: now or as it was, what changed, and what waits for a person. */
export function Component() {
  const { t } = useTranslation();
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
          <SnapshotChoice
            name="from"
            label={t("tree.compare")}
            none={t("tree.baseline")}
            snapshots={snapshots}
          />
        )}
        {view !== "quarantine" && snapshots.length > 0 && (
          <SnapshotChoice
            name="at"
            label={t("tree.choose")}
            none={t("tree.now")}
            snapshots={snapshots}
          />
        )}
        <Exports path="/api/export/hbt" values={{ container_id: id }} />
      </div>
      {view === "" && <Outline id={id} at={get("at")} />}
      {(view === "map" || view === "chart") && <Picture id={id} at={get("at")} kind={view} />}
      {view === "diff" && from !== "" && <Diff id={id} from={from} to={get("at")} />}
      {view === "quarantine" && <Quarantine id={id} />}
    </>
  );
}

interface ChoiceProps {
  name: "from" | "at";
  label: string;
  /** What it is without a choice. */
  none: string;
  snapshots: Schema["Snapshot"][];
}

/** One of the stored snapshots; it stands in the address. */
function SnapshotChoice({ name, label, none, snapshots }: ChoiceProps) {
  const { t, i18n } = useTranslation();
  const { get, set } = useSearch();
  return (
    <label>
      {label}{" "}
      <select
        className="input"
        value={get(name)}
        onChange={(event) => set({ [name]: event.target.value })}
      >
        <option value="">{none}</option>
        {snapshots.map((snapshot) => (
          <option key={snapshot.time} value={snapshot.time ?? ""}>
            {moment(snapshot.time, i18n.language)} ·{" "}
            {t("tree.nodes", { n: count(snapshot.nodes, i18n.language) })}
          </option>
        ))}
      </select>
    </label>
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
