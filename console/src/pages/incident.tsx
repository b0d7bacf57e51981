import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { Link, useParams } from "react-router";
import { answer, api } from "../api/client";
import { Failed, Loading, Raw, Severity } from "../components/bits";
import { clock, count, moment } from "../lib/format";

/** One incident: its alerts in the order they came. */
export function Component() {
  const { t, i18n } = useTranslation();
  const { id = "" } = useParams();
  const asked = useQuery({
    queryKey: ["incident", id],
    queryFn: ({ signal }) =>
      answer(api.GET("/api/incidents/{id}", { params: { path: { id } }, signal })),
    refetchInterval: 15_000,
  });
  const zh = i18n.language === "zh";
  const text = (summary: { en: string; zh: string }) => (zh ? summary.zh : summary.en);
  if (asked.isPending) return <Loading lines={10} />;
  if (asked.isError)
    return (
      <>
        <h1>{t("detail.incident")}</h1>
        <Failed error={asked.error} retry={() => void asked.refetch()} />
      </>
    );
  const { incident } = asked.data;
  const alerts = [...asked.data.alerts].sort((a, b) =>
    (a.first_seen ?? "") < (b.first_seen ?? "") ? -1 : 1,
  );
  return (
    <div className="page">
      <p>
        <Link to="/incidents">← {t("incidents.back")}</Link>
      </p>
      <Severity priority={incident.priority} />
      <h1>
        <Raw value={text(incident.summary)} mono={false} most={1000} />
      </h1>
      <p className="muted">
        <Raw value={incident.container.name || incident.container.id} /> ·{" "}
        {moment(incident.first_seen, i18n.language)} – {moment(incident.last_seen, i18n.language)} ·{" "}
        {t("times", { n: count(incident.count, i18n.language) })}
      </p>
      <h2>{t("incidents.story")}</h2>
      <ol className="story">
        {alerts.map((alert) => (
          <li key={alert.id}>
            <time dateTime={alert.first_seen ?? ""}>{clock(alert.first_seen)}</time>
            <Severity priority={alert.priority} bare />
            <Link to={`/alerts?state=all&id=${alert.id}`}>
              <Raw value={text(alert.summary)} mono={false} />
            </Link>
            <span className="muted">{t(`state.${alert.state}`)}</span>
          </li>
        ))}
      </ol>
      {incident.alerts_total > alerts.length && (
        <p className="muted">{t("more", { n: incident.alerts_total - alerts.length })}</p>
      )}
    </div>
  );
}
