import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { PRIORITIES } from "../lib/format";
import { link, useSearch } from "../lib/search";

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

/** One of several values, or all; it stands in the address. */
export function Choice<T extends string>(props: {
  name: string;
  label: string;
  values: readonly T[];
  word: (value: T) => string;
}) {
  const { t } = useTranslation();
  const { get, set } = useSearch();
  return (
    <select
      className="input"
      aria-label={props.label}
      value={get(props.name)}
      onChange={(event) => set({ [props.name]: event.target.value })}
    >
      <option value="">
        {props.label}: {t("all")}
      </option>
      {props.values.map((value) => (
        <option key={value} value={value}>
          {props.word(value)}
        </option>
      ))}
    </select>
  );
}

/** The least priority shown. */
export function PrioritySelect() {
  const { t } = useTranslation();
  return (
    <Choice
      name="priority"
      label={t("priority.label")}
      values={PRIORITIES}
      word={(priority) => t("priority.least", { p: t(`priority.${priority}`) })}
    />
  );
}
