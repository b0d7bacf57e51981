import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { ANY_STATE, type Filter, STATES } from "../lib/alerts";
import { PRIORITIES, moment } from "../lib/format";
import { link, useSearch } from "../lib/search";
import { Raw } from "./bits";

/** A search box that tells of its text once typing pauses. */
export function SearchBox({ label, name = "q" }: { label: string; name?: string }) {
  const { get, set } = useSearch();
  const given = get(name);
  const [text, setText] = useState(given);
  const [seen, setSeen] = useState(given);
  if (seen !== given) {
    setSeen(given);
    setText(given);
  }
  useEffect(() => {
    if (text === given) return;
    const timer = setTimeout(() => set({ [name]: text }, true), 250);
    return () => clearTimeout(timer);
  }, [text, given, name, set]);
  return (
    <input
      id="search"
      type="search"
      className="input"
      placeholder={label}
      aria-label={label}
      maxLength={200}
      value={text}
      onChange={(event) => setText(event.target.value)}
      onKeyDown={(event) => {
        if (event.key === "Escape") event.currentTarget.blur();
      }}
    />
  );
}

/** Links to a list as files, with the filters it has. */
export function Exports({
  path,
  values,
}: {
  path: string;
  values: Record<string, string | undefined>;
}) {
  const { t } = useTranslation();
  return (
    <details className="menu">
      <summary className="button">{t("alerts.export")}</summary>
      <div>
        {["csv", "json", "ndjson"].map((format) => (
          <a key={format} href={link(path, { ...values, format })} download>
            {format.toUpperCase()}
          </a>
        ))}
      </div>
    </details>
  );
}

/** The least priority shown. */
export function PrioritySelect() {
  const { t } = useTranslation();
  const { get, set } = useSearch();
  return (
    <select
      className="input"
      aria-label={t("priority.label")}
      value={get("priority")}
      onChange={(event) => set({ priority: event.target.value })}
    >
      <option value="">
        {t("priority.label")}: {t("all")}
      </option>
      {PRIORITIES.map((priority) => (
        <option key={priority} value={priority}>
          {t("priority.least", { p: t(`priority.${priority}`) })}
        </option>
      ))}
    </select>
  );
}

const CHIPS = ["container_id", "rule", "kind", "source", "start", "end"] as const;
const CHIP_NAMES = {
  container_id: "filter.container",
  rule: "filter.rule",
  kind: "filter.kind",
  source: "filter.source",
  start: "filter.start",
  end: "filter.end",
} as const;

export function AlertFilters({ filter, fixed }: { filter: Filter; fixed?: string }) {
  const { t, i18n } = useTranslation();
  const { get, set } = useSearch();
  const state = get("state") || "open";
  return (
    <div className="filters">
      <div className="tabs" role="group" aria-label={t("state.label")}>
        {[...STATES, ANY_STATE].map((one) => (
          <button
            key={one}
            type="button"
            aria-pressed={state === one}
            onClick={() => set({ state: one === "open" ? null : one, id: null })}
          >
            {one === ANY_STATE ? t("all") : t(`state.${one as "open"}`)}
          </button>
        ))}
      </div>
      <PrioritySelect />
      <SearchBox label={t("alerts.search")} />
      <Exports path="/api/export/alerts" values={{ ...filter }} />
      {CHIPS.filter((name) => get(name) !== "" && !(name === "container_id" && fixed)).map(
        (name) => {
          const value = get(name);
          const time = name === "start" || name === "end";
          return (
            <button
              key={name}
              type="button"
              className="chip"
              aria-label={t("alerts.remove", { name: t(CHIP_NAMES[name]) })}
              onClick={() => set({ [name]: null })}
            >
              {t(CHIP_NAMES[name])}:{" "}
              <Raw value={time ? moment(value, i18n.language) : value} most={60} /> ×
            </button>
          );
        },
      )}
    </div>
  );
}
