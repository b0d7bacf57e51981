import { useTranslation } from "react-i18next";
import { ANY_STATE, type Filter, STATES } from "../lib/alerts";
import { moment } from "../lib/format";
import { useSearch } from "../lib/search";
import { Raw } from "./bits";
import { Exports, PrioritySelect, SearchBox } from "./filters";
import { Views } from "./views";

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
      <Views />
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
