import { useTranslation } from "react-i18next";
import { ANY_STATE, type Filter, NAMES } from "../lib/alerts";
import { useSearch } from "../lib/search";
import { Ago, Nothing } from "./bits";
import { useOverview } from "./shell";

/** Why a list of alerts is empty: good news, a filter, or profiles that still learn. */
export function AlertsEmpty({ filter }: { filter: Filter }) {
  const { t } = useTranslation();
  const { get, set } = useSearch();
  const overview = useOverview().data;
  const phases = overview?.containers.by_phase;
  const learning = (phases?.warmup ?? 0) + (phases?.learning ?? 0);
  const filtered = NAMES.some((name) => get(name) !== "");
  const clear = Object.fromEntries(NAMES.map((name) => [name, null]));
  return (
    <Nothing title={t(filter.state === "open" && !filtered ? "alerts.noneOpen" : "alerts.none")}>
      {filtered ? (
        <p>
          {t("alerts.noneFilter")}{" "}
          <button type="button" className="button" onClick={() => set(clear)}>
            {t("alerts.clear")}
          </button>
        </p>
      ) : (
        <p>
          {t("system.last")} <Ago time={overview?.generated} />
        </p>
      )}
      {learning > 0 && <p>{t("alerts.noneLearning", { count: learning })}</p>}
      {filter.state !== undefined && (
        <button type="button" className="button" onClick={() => set({ state: ANY_STATE })}>
          {t("state.label")}: {t("all")}
        </button>
      )}
    </Nothing>
  );
}
