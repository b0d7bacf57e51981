import { useTranslation } from "react-i18next";
import { Nothing, Raw } from "../components/bits";
import { States } from "../components/states";
import { useDashboards } from "../lib/dashboards";
import { useSearch } from "../lib/search";

/** Lines of a configuration that shows one dashboard. */
const EXAMPLE = `[console]
grafana_url = "https://grafana.example:3000"
grafana_dashboards = ["Hanabi=/d/hanabi/hanabi?kiosk"]`;

/** Dashboards of somebody's Grafana, one at a time; how to have some where there are none. */
export function Component() {
  const { t } = useTranslation();
  const { get, set } = useSearch();
  const asked = useDashboards();
  const all = asked.data?.dashboards ?? [];
  const shown = all.find(({ name }) => name === get("name")) ?? all[0];
  return (
    <div className="page-list">
      <div className="filters">
        <h1>{t("nav.dashboards")}</h1>
        <div className="tabs" role="group" aria-label={t("nav.dashboards")}>
          {all.map(({ name }) => (
            <button
              key={name}
              type="button"
              aria-pressed={name === shown?.name}
              onClick={() => set({ name })}
            >
              <Raw value={name} mono={false} />
            </button>
          ))}
        </div>
        {shown && (
          <a className="aside" href={shown.url} target="_blank" rel="noopener noreferrer">
            {t("dashboards.own")}
          </a>
        )}
      </div>
      <States asked={asked} count={all.length} empty={<HowTo />}>
        {shown && (
          <>
            <iframe
              key={shown.url}
              className="dashboard"
              src={shown.url}
              title={shown.name}
              referrerPolicy="no-referrer"
              sandbox="allow-scripts allow-same-origin allow-forms allow-popups"
            />
            <p className="muted">{t("dashboards.blank")}</p>
          </>
        )}
      </States>
    </div>
  );
}

function HowTo() {
  const { t } = useTranslation();
  return (
    <Nothing title={t("dashboards.none")}>
      <p>{t("dashboards.text")}</p>
      <pre tabIndex={0} aria-label={t("system.config")}>
        {EXAMPLE}
      </pre>
      <p>{t("dashboards.blank")}</p>
    </Nothing>
  );
}
