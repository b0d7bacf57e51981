import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { count } from "../lib/format";

export interface Bar {
  key: string;
  name: ReactNode;
  value: number;
  to?: string;
  tone?: string;
}

/** Names with their numbers, as bars that lead to what they count. */
export function Bars({ label, bars }: { label: string; bars: Bar[] }) {
  const { t, i18n } = useTranslation();
  const most = Math.max(1, ...bars.map((bar) => bar.value));
  if (bars.length === 0) return <p className="muted">{t("none")}</p>;
  return (
    <ul className="bars-list" aria-label={label}>
      {bars.map((bar) => {
        const inner = (
          <>
            <span className="name">{bar.name}</span>
            <b>{count(bar.value, i18n.language)}</b>
            <span className="track" aria-hidden="true">
              <i className={bar.tone ?? ""} style={{ width: `${(100 * bar.value) / most}%` }} />
            </span>
          </>
        );
        return (
          <li key={bar.key}>{bar.to ? <Link to={bar.to}>{inner}</Link> : <span>{inner}</span>}</li>
        );
      })}
    </ul>
  );
}
