import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { type Alert, answer, api } from "../api/client";
import { count } from "../lib/format";
import { parts } from "../lib/parts";
import { shown } from "../lib/untrusted";
import { Raw } from "./bits";

/** Why an alert was raised: the path beside what was learned, and what came of it. */
export function Why({ alert }: { alert: Alert }) {
  const { t } = useTranslation();
  const { path } = alert;
  const hasPath = path.learned.length > 0 || path.token !== "" || path.raw !== "";
  return (
    <section>
      <h3>{t("detail.why")}</h3>
      {hasPath ? <Paths alert={alert} /> : <p className="muted">{t("detail.noPath")}</p>}
      <Nearest alert={alert} />
      <Score alert={alert} />
      {alert.evidence.length > 0 && (
        <>
          <h3>{t("detail.evidence")}</h3>
          <ul className="lines">
            {alert.evidence.map((one, i) => (
              <li key={i}>
                <Raw value={`${one.process}: ${one.token}`} />
                <span className="muted">
                  {" "}
                  {t(`kind.${one.kind as "danger"}`, one.kind)} {t("times", { n: one.count })}
                </span>
              </li>
            ))}
          </ul>
        </>
      )}
      {alert.lineage.length > 0 && (
        <>
          <h3>{t("detail.lineage")}</h3>
          <ol className="lineage">
            {alert.lineage.map((one, i) => (
              <li key={i} title={shown([one.executable, one.pid ?? ""].join(" "), 300)}>
                <Raw value={one.command_line || one.name} most={300} />
              </li>
            ))}
          </ol>
        </>
      )}
    </section>
  );
}

function Paths({ alert }: { alert: Alert }) {
  const { t, i18n } = useTranslation();
  const { path } = alert;
  const common = path.learned.map((name, i) => (
    <li key={i}>
      <Raw value={name} />
    </li>
  ));
  const departs = path.raw || path.token;
  return (
    <div className="paths">
      <div>
        <h4>{t("detail.seen")}</h4>
        <ol className="steps-down">
          {common}
          <li className="off">
            <em>{t("detail.parts")}</em>
            <Raw value={departs} most={1000} />
            {path.token !== "" && path.token !== departs && (
              <span className="under">
                <Raw value={path.token} />
              </span>
            )}
          </li>
        </ol>
      </div>
      <div>
        <h4>{t("detail.learned")}</h4>
        <ol className="steps-down">
          {common}
          {alert.expected.length === 0 && <li className="known muted">{t("detail.nothing")}</li>}
          {alert.expected.map((one, i) => (
            <li className="known" key={i}>
              <Raw value={one.token} />{" "}
              <span className="muted">{t("times", { n: count(one.count, i18n.language) })}</span>
            </li>
          ))}
        </ol>
      </div>
    </div>
  );
}

function Pieces({ text, other }: { text: string; other: string }) {
  return (
    <bdi className="raw mono">
      {parts(shown(text), shown(other)).map((piece, i) =>
        piece.differs ? <mark key={i}>{piece.text}</mark> : <span key={i}>{piece.text}</span>,
      )}
    </bdi>
  );
}

function Nearest({ alert }: { alert: Alert }) {
  const { t } = useTranslation();
  const near = alert.nearest;
  if (!near) return null;
  const threshold = near.threshold.toFixed(2);
  return (
    <div className="nearest">
      <h3>{t("detail.nearest")}</h3>
      <p>
        <Pieces text={near.token} other={alert.path.token} />
      </p>
      <p>
        <Pieces text={alert.path.token} other={near.token} />{" "}
        <span className="muted">← {t("detail.differs")}</span>
      </p>
      <div
        className="meter"
        role="img"
        aria-label={t("detail.similarity", { s: near.similarity.toFixed(2), t: threshold })}
      >
        <i style={{ width: `${100 * near.similarity}%` }} />
        <b style={{ left: `${100 * near.threshold}%` }} />
      </div>
      <p className="muted">
        {t("detail.similarity", { s: near.similarity.toFixed(2), t: threshold })}
      </p>
    </div>
  );
}

function Score({ alert }: { alert: Alert }) {
  const { t, i18n } = useTranslation();
  const id = alert.container.id;
  const asked = useQuery({
    queryKey: ["container", id],
    queryFn: ({ signal }) =>
      answer(api.GET("/api/containers/{id}", { params: { path: { id } }, signal })),
    enabled: id !== "",
    // The container may be gone long ago; the alert stands without it.
    retry: false,
  });
  const profile = asked.data?.profile;
  const made = alert.score_parts.map((part) => `${part.name} ${part.value.toFixed(2)}`).join(" · ");
  const young = alert.phase === "warmup" || alert.phase === "learning";
  return (
    <dl className="pairs">
      <div>
        <dt>{t("detail.score")}</dt>
        <dd>
          <b>{alert.score.toFixed(2)}</b> <span className="muted">{made}</span>
        </dd>
      </div>
      {profile && (
        <div>
          <dt>{t("detail.profile")}</dt>
          <dd>
            {t("detail.maturity", {
              phase: t(`phase.${profile.phase}`),
              events: count(profile.events, i18n.language),
              nodes: count(profile.nodes, i18n.language),
            })}
          </dd>
        </div>
      )}
      {young && (
        <div>
          <dt />
          <dd className="bad">
            {t("detail.young", { phase: t(`phase.${alert.phase as "learning"}`) })}
          </dd>
        </div>
      )}
    </dl>
  );
}
