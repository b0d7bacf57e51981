import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { useSession } from "../../api/session";
import { Nothing } from "../../components/bits";
import { useSearch } from "../../lib/search";
import { Audit } from "./audit";
import { Config } from "./config";
import { Maintenance } from "./maintenance";
import { Sources } from "./sources";
import { Suppressions } from "./suppressions";
import { Tokens } from "./tokens";

/** Each part with its word in the address, and the route without which it is nothing. */
const PARTS = [
  ["", "system.sources", Sources, "GET /api/sources"],
  ["suppressions", "system.suppressions", Suppressions, "GET /api/suppressions"],
  ["maintenance", "system.maintenance", Maintenance, "GET /api/maintenance"],
  ["tokens", "system.tokens", Tokens, "GET /api/tokens"],
  ["audit", "system.audit", Audit, "GET /api/audit"],
  ["config", "system.config", Config, "GET /api/config"],
] as const;

/** How the service itself does, as far as who asks may know. */
export function Component() {
  const { t } = useTranslation();
  const { get, set } = useSearch();
  const me = useSession((session) => session.me);
  const parts = PARTS.filter(([, , , route]) => me?.allowed.includes(route) ?? true);
  const asked = get("part");
  const part = parts.find(([word]) => word === asked) ?? (asked === "" ? parts[0] : undefined);
  const Part = part?.[2];
  return (
    <>
      <div className="filters">
        <h1>{t("system.title")}</h1>
        <div className="tabs" role="group" aria-label={t("system.title")}>
          {parts.map(([word, name]) => (
            <button
              key={name}
              type="button"
              aria-pressed={word === part?.[0]}
              onClick={() => set({ part: word })}
            >
              {t(name)}
            </button>
          ))}
        </div>
        <span className="aside links">
          <Link to="/dashboards">{t("nav.dashboards")}</Link>
          <a href="/api/docs">{t("system.api")}</a>
        </span>
      </div>
      {Part ? (
        <Part />
      ) : (
        <Nothing title={t("system.notAllowed")}>
          <p>{t("system.notAllowedText", { role: me?.role ?? "" })}</p>
        </Nothing>
      )}
    </>
  );
}
