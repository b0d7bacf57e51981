import { useQuery } from "@tanstack/react-query";
import { Fragment } from "react";
import { useTranslation } from "react-i18next";
import { answer, api } from "../api/client";
import { Failed, Loading, Raw } from "../components/bits";
import { type Block, type Word, blocks } from "../lib/markdown";
import { link, useSearch } from "../lib/search";

/** What nobody reads of a time; values of events stay as they are. */
const FRACTION = /(\d\d:\d\d:\d\d)\.\d+/g;

/** Hours back from now, each with its word. */
const PERIODS = [
  ["24", "report.day"],
  ["168", "report.week"],
  ["720", "report.month"],
] as const;

/** The time of a field for local times, as the API takes it; nothing where it is none. */
function instant(text: string): string | undefined {
  const time = new Date(text);
  return text === "" || Number.isNaN(time.getTime()) ? undefined : time.toISOString();
}

const hoursAgo = (hours: string) => new Date(Date.now() - Number(hours) * 3_600_000).toISOString();

function ask(
  lang: "en" | "zh",
  start: string | undefined,
  end: string | undefined,
  signal: AbortSignal,
) {
  const query = { lang, ...(start ? { start } : {}), ...(end ? { end } : {}) };
  return answer(api.GET("/api/export/report", { params: { query }, parseAs: "text", signal }));
}

/** A report of a period, to read and to print. */
export function Component() {
  const { t, i18n } = useTranslation();
  const { get, set } = useSearch();
  const lang = i18n.language === "zh" ? "zh" : "en";
  const hours = PERIODS.some(([one]) => one === get("hours")) ? get("hours") : "24";
  const [from, to] = [instant(get("from")), instant(get("to"))];
  const own = from !== undefined || to !== undefined;
  const asked = useQuery({
    queryKey: ["report", lang, own ? [from, to] : hours],
    queryFn: ({ signal }) => ask(lang, own ? from : hoursAgo(hours), to, signal),
    staleTime: Infinity,
    refetchOnWindowFocus: false,
  });
  return (
    <>
      <div className="filters no-print">
        <h1>{t("report.title")}</h1>
        <div className="tabs" role="group" aria-label={t("report.period")}>
          {PERIODS.map(([value, name]) => (
            <button
              key={value}
              type="button"
              aria-pressed={!own && value === hours}
              onClick={() => set({ hours: value, from: null, to: null })}
            >
              {t(name)}
            </button>
          ))}
        </div>
        {(["from", "to"] as const).map((name) => (
          <label key={name}>
            {t(name === "from" ? "filter.start" : "filter.end")}{" "}
            <input
              type="datetime-local"
              className="input"
              value={get(name)}
              onChange={(event) => set({ [name]: event.target.value }, true)}
            />
          </label>
        ))}
        <button type="button" className="button primary aside" onClick={() => window.print()}>
          {t("report.print")}
        </button>
        <a
          className="button"
          href={link("/api/export/report", { lang, start: from, end: to })}
          download
        >
          Markdown
        </a>
      </div>
      {asked.isPending && <Loading lines={12} />}
      {asked.isError && <Failed error={asked.error} retry={() => void asked.refetch()} />}
      {asked.data && (
        <article className="card report">
          {blocks(asked.data).map((block, i) => (
            <Part key={i} block={block} />
          ))}
        </article>
      )}
    </>
  );
}

function Part({ block }: { block: Block }) {
  switch (block.kind) {
    case "heading": {
      // The page's own heading is the first.
      const Heading = block.level === 1 ? "h2" : block.level === 2 ? "h3" : "h4";
      return (
        <Heading>
          <Words words={block.words} />
        </Heading>
      );
    }
    case "paragraph":
      return (
        <p className="muted">
          <Words words={block.words} />
        </p>
      );
    case "list":
      return (
        <ul>
          {block.items.map((item, i) => (
            <li key={i}>
              <Words words={item} />
            </li>
          ))}
        </ul>
      );
    case "table":
      return (
        <table>
          <thead>
            <tr>
              {block.head.map((cell, i) => (
                <th key={i}>
                  <Words words={cell} />
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {block.rows.map((row, i) => (
              <tr key={i}>
                {row.map((cell, j) => (
                  <td key={j}>
                    <Words words={cell} />
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      );
  }
}

function Words({ words }: { words: Word[] }) {
  return words.map((word, i) => (
    <Fragment key={i}>
      {word.code ? <Raw value={word.text} most={2000} /> : word.text.replace(FRACTION, "$1")}
    </Fragment>
  ));
}
