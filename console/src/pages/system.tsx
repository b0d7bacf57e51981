import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { App } from "antd";
import { type FormEvent, type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";
import { answer, api } from "../api/client";
import { Ago, Failed, Loading, Raw } from "../components/bits";
import { count, moment, sum } from "../lib/format";
import { useSearch } from "../lib/search";
import { SHOWN_WHOLE, shown } from "../lib/untrusted";

const PARTS = [
  ["", "system.sources", Sources],
  ["suppressions", "system.suppressions", Suppressions],
  ["maintenance", "system.maintenance", Maintenance],
  ["audit", "system.audit", Audit],
  ["config", "system.config", Config],
] as const;

/** How the service itself does. */
export function Component() {
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

interface Asked {
  isPending: boolean;
  isError: boolean;
  error: unknown;
  refetch: () => unknown;
}

/** A table with its states. */
function Table({
  asked,
  head,
  children,
}: {
  asked: Asked;
  head: string[];
  children?: ReactNode[];
}) {
  const { t } = useTranslation();
  if (asked.isPending) return <Loading />;
  if (asked.isError) return <Failed error={asked.error} retry={() => void asked.refetch()} />;
  if (!children || children.length === 0) return <p className="muted">{t("none")}</p>;
  return (
    <div className="scroll" role="region" aria-label={head.join(", ")} tabIndex={0}>
      <table>
        <thead>
          <tr>
            {head.map((name, i) => (
              <th key={i}>{name}</th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}

function Sources() {
  const { t, i18n } = useTranslation();
  const asked = useQuery({
    queryKey: ["sources"],
    queryFn: ({ signal }) => answer(api.GET("/api/sources", { signal })),
    refetchInterval: 5_000,
  });
  const rejected = useQuery({
    queryKey: ["rejected"],
    queryFn: ({ signal }) =>
      answer(api.GET("/api/ingest/rejected", { params: { query: { limit: 50 } }, signal })),
    refetchInterval: 15_000,
  });
  const totals = asked.data?.totals;
  const number = (n: number) => count(n, i18n.language);
  const figures: [string, number, Record<string, number>?][] = totals
    ? [
        [t("system.received"), totals.received],
        [t("system.modelled"), totals.modelled],
        [t("system.ignored"), sum(totals.ignored), totals.ignored],
        [t("system.pending"), totals.pending],
        [t("system.rejected"), sum(totals.rejected), totals.rejected],
        [t("system.dropped"), sum(totals.dropped), totals.dropped],
      ]
    : [];
  return (
    <>
      <section className="card">
        <h2>{t("system.lines")}</h2>
        <div className="figures">
          {figures.map(([name, value, reasons]) => (
            <div key={name}>
              <span className="muted">{name}</span>
              <b className={name === t("system.dropped") && value > 0 ? "bad" : ""}>
                {number(value)}
              </b>
              {Object.entries(reasons ?? {}).map(([reason, n]) => (
                <span className="under" key={reason}>
                  {reason} {number(n)}
                </span>
              ))}
            </div>
          ))}
        </div>
      </section>
      <section className="card">
        <h2>{t("system.sources")}</h2>
        <Table
          asked={asked}
          head={[
            t("system.source"),
            t("system.state"),
            t("system.received"),
            t("system.dropped"),
            t("system.errors"),
            t("system.lag"),
            t("system.last"),
          ]}
        >
          {asked.data?.sources.map((one) => (
            <tr key={one.id}>
              <td>
                <Raw value={one.id} />
              </td>
              <td>
                <span className="tag">{t(`source.${one.state as "running"}`, one.state)}</span>{" "}
                <Raw value={one.detail} mono={false} />
              </td>
              <td>{number(one.received)}</td>
              <td className={one.dropped > 0 ? "bad" : ""}>{number(one.dropped)}</td>
              <td>{number(one.errors)}</td>
              <td>{one.lag_seconds.toFixed(1)} s</td>
              <td>
                <Ago time={one.last_event} />
              </td>
            </tr>
          ))}
        </Table>
      </section>
      <section className="card">
        <h2>{t("system.samples")}</h2>
        <Table asked={rejected} head={[t("system.at"), t("system.reason"), t("system.line")]}>
          {rejected.data?.rejected.map((one, i) => (
            <tr key={i}>
              <td>
                <Ago time={one.received} />
              </td>
              <td>{one.reason}</td>
              <td>
                <Raw value={one.sample} />
              </td>
            </tr>
          ))}
        </Table>
      </section>
    </>
  );
}

/** An end to something that was decided, and what was refused. */
function useEnd(key: string, end: (id: string) => Promise<unknown>) {
  const { message } = App.useApp();
  const client = useQueryClient();
  return useMutation({
    mutationFn: end,
    onSuccess: () => client.invalidateQueries({ queryKey: [key] }),
    onError: (error) => void message.error(shown(error.message, 300)),
  });
}

function Suppressions() {
  const { t, i18n } = useTranslation();
  const asked = useQuery({
    queryKey: ["suppressions"],
    queryFn: ({ signal }) => answer(api.GET("/api/suppressions", { signal })),
  });
  const end = useEnd("suppressions", (id) =>
    answer(api.DELETE("/api/suppressions/{id}", { params: { path: { id } }, body: {} })),
  );
  return (
    <section className="card">
      <Table
        asked={asked}
        head={[
          t("system.scope"),
          t("system.value"),
          t("system.why"),
          t("system.by"),
          t("system.expires"),
          t("system.state"),
        ]}
      >
        {asked.data?.suppressions.map((one) => (
          <tr key={one.id}>
            <td>{t(`scope.${one.scope}`)}</td>
            <td>
              <Raw value={one.value} />
            </td>
            <td>
              <Raw value={one.note} mono={false} />
            </td>
            <td>
              <Raw value={one.by} mono={false} />
            </td>
            <td>{one.expires ? moment(one.expires, i18n.language) : t("system.never")}</td>
            <td>
              <State active={one.active} busy={end.isPending} end={() => end.mutate(one.id)} />
            </td>
          </tr>
        ))}
      </Table>
    </section>
  );
}

function State({ active, busy, end }: { active: boolean; busy: boolean; end: () => void }) {
  const { t } = useTranslation();
  if (!active) return <span className="tag">{t("system.ended")}</span>;
  return (
    <>
      <span className="tag good">{t("system.active")}</span>
      <button type="button" className="button small" disabled={busy} onClick={end}>
        {t("system.end")}
      </button>
    </>
  );
}

function Maintenance() {
  const { t, i18n } = useTranslation();
  const client = useQueryClient();
  const [container, setContainer] = useState("");
  const [hours, setHours] = useState("1");
  const asked = useQuery({
    queryKey: ["maintenance"],
    queryFn: ({ signal }) => answer(api.GET("/api/maintenance", { signal })),
  });
  const end = useEnd("maintenance", (id) =>
    answer(api.DELETE("/api/maintenance/{id}", { params: { path: { id } }, body: {} })),
  );
  const add = useMutation({
    mutationFn: () => {
      const start = new Date();
      const until = new Date(start.getTime() + Number(hours) * 3_600_000);
      const body = { container, start: start.toISOString(), end: until.toISOString() };
      return answer(api.POST("/api/maintenance", { params: {}, body }));
    },
    onSuccess: () => client.invalidateQueries({ queryKey: ["maintenance"] }),
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    add.mutate();
  };
  return (
    <section className="card">
      <form className="filters" onSubmit={submit} aria-label={t("system.newWindow")}>
        <input
          className="input"
          required
          value={container}
          placeholder={t("system.containerPattern")}
          aria-label={t("system.containerPattern")}
          onChange={(event) => setContainer(event.target.value)}
        />
        <label htmlFor="hours">{t("system.hours")}</label>
        <input
          id="hours"
          className="input"
          type="number"
          min="0.25"
          step="0.25"
          required
          value={hours}
          onChange={(event) => setHours(event.target.value)}
        />
        <button type="submit" className="button" disabled={add.isPending}>
          {t("system.add")}
        </button>
      </form>
      {add.isError && <Failed error={add.error} />}
      <Table
        asked={asked}
        head={[
          t("alerts.container"),
          t("system.begin"),
          t("system.expires"),
          t("system.by"),
          t("system.state"),
        ]}
      >
        {asked.data?.maintenance.map((one) => (
          <tr key={one.id}>
            <td>
              <Raw value={one.container} />
            </td>
            <td>{moment(one.start, i18n.language)}</td>
            <td>{moment(one.end, i18n.language)}</td>
            <td>
              <Raw value={one.by} mono={false} />
            </td>
            <td>
              <State active={one.active} busy={end.isPending} end={() => end.mutate(one.id)} />
            </td>
          </tr>
        ))}
      </Table>
    </section>
  );
}

function Audit() {
  const { t, i18n } = useTranslation();
  const asked = useQuery({
    queryKey: ["audit"],
    queryFn: ({ signal }) =>
      answer(api.GET("/api/audit", { params: { query: { limit: 200 } }, signal })),
    refetchInterval: 15_000,
  });
  return (
    <section className="card">
      <Table
        asked={asked}
        head={[
          t("system.at"),
          t("system.by"),
          t("system.action"),
          t("system.object"),
          t("system.outcome"),
        ]}
      >
        {asked.data?.audit.map((one) => (
          <tr key={one.sequence}>
            <td className="number">{moment(one.at, i18n.language)}</td>
            <td>
              <Raw value={one.by} mono={false} />
            </td>
            <td>{one.action}</td>
            <td>
              <Raw value={one.object} />
            </td>
            <td className={one.outcome === "ok" ? "" : "bad"}>{one.outcome}</td>
          </tr>
        ))}
      </Table>
    </section>
  );
}

function Config() {
  const { t } = useTranslation();
  const asked = useQuery({
    queryKey: ["config"],
    queryFn: ({ signal }) => answer(api.GET("/api/config", { signal })),
  });
  if (asked.isPending) return <Loading />;
  if (asked.isError) return <Failed error={asked.error} retry={() => void asked.refetch()} />;
  return (
    <section className="card config">
      <p className="muted">{t("system.configText")}</p>
      <pre tabIndex={0} aria-label={t("system.config")}>
        {shown(JSON.stringify(asked.data, null, 2), 4 * SHOWN_WHOLE, true)}
      </pre>
    </section>
  );
}
