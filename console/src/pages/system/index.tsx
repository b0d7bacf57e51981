import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { useSearch } from "../../lib/search";
import { Audit } from "./audit";
import { Config } from "./config";
import { Maintenance } from "./maintenance";
import { Sources } from "./sources";
import { Suppressions } from "./suppressions";

const PARTS = [
  ["", "system.sources", Sources],
  ["suppressions", "system.suppressions", Suppressions],
  ["maintenance", "system.maintenance", Maintenance],
  ["audit", "system.audit", Audit],
  ["config", "system.config", Config],
] as const;

/** How the service itself does. */
export function Component(): ReactNode {
  const { t } = useTranslation();
  const { get, set } = useSearch();
  const part = PARTS.find(([word]) => word === get("part")) ?? PARTS[0];
  const Part = part[2];
  return (
    <>
      <div className="filters">
        <h1>{t("system.title")}</h1>
        <div className="tabs" role="group" aria-label={t("system.title")}>
          {PARTS.map(([word, name]) => (
            <button
              key={name}
              type="button"
              aria-pressed={word === part[0]}
              onClick={() => set({ part: word })}
            >
              {t(name)}
            </button>
          ))}
        </div>
        <a className="button aside" href="/api/docs">
          {t("system.api")}
        </a>
      </div>
      <Part />
    </>
  );
}
