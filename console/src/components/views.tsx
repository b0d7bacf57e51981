import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { Link, useLocation } from "react-router";
import { useSearch } from "../lib/search";
import { NAME_MAX, VIEWS_MAX, target, useViews } from "../lib/views";

/** Filters of this page that have a name, and a name for those that it has now. */
export function Views() {
  const { t } = useTranslation();
  const { pathname } = useLocation();
  const { query } = useSearch();
  const { views, save, drop } = useViews();
  const [name, setName] = useState("");
  const [full, setFull] = useState(false);
  const here = target(pathname, query);
  const mine = views.filter((view) => view.to.split("?")[0] === pathname);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const saved = save({ name: name.trim(), to: here });
    setFull(!saved);
    if (saved) setName("");
  };
  return (
    <details className="menu">
      <summary className="button">{t("views.title")}</summary>
      <div>
        {mine.map((view) => (
          <span className="view" key={view.name}>
            <Link to={view.to} aria-current={view.to === here ? "true" : undefined}>
              {view.name}
            </Link>
            <button
              type="button"
              className="button plain"
              aria-label={t("views.drop", { name: view.name })}
              onClick={() => drop(view)}
            >
              ×
            </button>
          </span>
        ))}
        <form onSubmit={submit}>
          <input
            className="input"
            required
            maxLength={NAME_MAX}
            value={name}
            placeholder={t("views.name")}
            aria-label={t("views.name")}
            onChange={(event) => setName(event.target.value)}
          />
          <button type="submit" className="button" disabled={name.trim() === ""}>
            {t("views.save")}
          </button>
        </form>
        {full && <p role="alert">{t("views.full", { n: VIEWS_MAX })}</p>}
      </div>
    </details>
  );
}
