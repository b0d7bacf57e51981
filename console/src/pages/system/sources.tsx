import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { answer, api } from "../../api/client";
import { Ago, Loading, Raw } from "../../components/bits";
import { Table } from "../../components/table";
import { count, sum } from "../../lib/format";

/** Where lines come from, and what became of each. */
export function Sources() {
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
        {asked.isPending && <Loading lines={2} />}
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
          label={t("system.sources")}
          asked={asked}
          rows={asked.data?.sources}
          id={(one) => one.id}
          columns={[
            { head: t("system.source"), cell: (one) => <Raw value={one.id} /> },
            {
              head: t("system.state"),
              cell: (one) => (
                <>
                  <span className="tag">{t(`source.${one.state as "running"}`, one.state)}</span>{" "}
                  <Raw value={one.detail} mono={false} />
                </>
              ),
            },
            { head: t("system.received"), cell: (one) => number(one.received) },
            {
              head: t("system.dropped"),
              cell: (one) => number(one.dropped),
              tone: (one) => (one.dropped > 0 ? "bad" : ""),
            },
            { head: t("system.errors"), cell: (one) => number(one.errors) },
            { head: t("system.lag"), cell: (one) => `${one.lag_seconds.toFixed(1)} s` },
            { head: t("system.last"), cell: (one) => <Ago time={one.last_event} /> },
          ]}
        />
      </section>
      <section className="card">
        <h2>{t("system.samples")}</h2>
        <Table
          label={t("system.samples")}
          asked={rejected}
          rows={rejected.data?.rejected}
          id={(_, index) => String(index)}
          columns={[
            { head: t("system.at"), cell: (one) => <Ago time={one.received} /> },
            { head: t("system.reason"), cell: (one) => one.reason },
            { head: t("system.line"), cell: (one) => <Raw value={one.sample} /> },
          ]}
        />
      </section>
    </>
  );
}
