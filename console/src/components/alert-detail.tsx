import { App } from "antd";
import { Suspense, lazy, useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import type { Alert } from "../api/client";
import { useMay } from "../api/session";
import { type Act, act as ask, useAct, useAlert } from "../lib/alerts";
import { count, moment } from "../lib/format";
import { useKeys } from "../lib/keys";
import { link } from "../lib/search";
import { SHOWN_WHOLE, shown } from "../lib/untrusted";
import { Ago, Failed, Loading, Raw, Severity } from "./bits";
import { Note } from "./note";
import { Why } from "./why";

const Suppress = lazy(() => import("./suppress"));
const Promote = lazy(() => import("./promote"));

/** One alert: what happened, why it stands out, and everything that can be done about it. */
export default function AlertDetail({ id, close }: { id: string; close: () => void }) {
  const { t } = useTranslation();
  const asked = useAlert(id);
  return (
    <aside className="panel" aria-label={t("detail.label")}>
      <button type="button" className="button plain close" onClick={close} aria-label={t("close")}>
        ×
      </button>
      {asked.isPending && <Loading lines={12} />}
      {asked.isError && <Failed error={asked.error} retry={() => void asked.refetch()} />}
      {asked.data && <Body alert={asked.data} />}
    </aside>
  );
}

function Body({ alert }: { alert: Alert }) {
  const { t, i18n } = useTranslation();
  const zh = i18n.language === "zh";
  return (
    <>
      <header>
        <Severity priority={alert.priority} />
        <h2>
          <Raw value={zh ? alert.summary.zh : alert.summary.en} mono={false} most={1000} />
        </h2>
        <p className="under">
          {t(`state.${alert.state}`)} · {t("times", { n: count(alert.count, i18n.language) })} ·{" "}
          <Ago time={alert.last_seen} />
          {alert.assignee && (
            <>
              {` · ${t("detail.assignee")} `}
              <Raw value={alert.assignee} mono={false} />
            </>
          )}
        </p>
      </header>
      <Actions alert={alert} />
      <Why alert={alert} />
      <Context alert={alert} />
      <History alert={alert} />
      <Samples alert={alert} />
    </>
  );
}

/** What can be undone: the newest action of a person that was not taken back. */
const undoable = (alert: Alert) =>
  alert.history.some(
    (one) => one.by !== "hanabi" && !one.undone && one.action !== "undo" && one.action !== "note",
  );

function Actions({ alert }: { alert: Alert }) {
  const { t } = useTranslation();
  const { message } = App.useApp();
  const change = useAct();
  const [dialog, setDialog] = useState<"suppress" | "promote" | "note" | "assign" | null>(null);
  const perform = async (what: Act): Promise<void> => {
    await change.mutateAsync({ id: alert.id, what });
    const back = what.action !== "undo" && what.action !== "note";
    const key = `${alert.id} ${what.action}`;
    message.success({
      key,
      duration: 10,
      content: (
        <>
          {t(`done.${what.action}`)}
          {back && (
            <button
              type="button"
              className="button small"
              onClick={() => {
                message.destroy(key);
                run({ action: "undo" });
              }}
            >
              {t("act.undo")}
            </button>
          )}
        </>
      ),
    });
  };
  const run = (what: Act) => {
    perform(what).catch((error: unknown) => {
      void message.error(shown(error instanceof Error ? error.message : "", 300));
    });
  };
  const closed = ["resolved", "promoted", "suppressed"].includes(alert.state);
  const buttons: { key: string; name: Parameters<typeof t>[0]; run: () => void; off?: boolean }[] =
    [
      { key: "a", name: "act.ack", run: () => run({ action: "ack" }), off: alert.state !== "open" },
      closed || alert.state === "acknowledged"
        ? { key: "e", name: "act.reopen", run: () => run({ action: "reopen" }) }
        : { key: "", name: "act.reopen", run: () => undefined, off: true },
      {
        key: "r",
        name: "act.resolve",
        run: () => run({ action: "resolve" }),
        off: closed,
      },
      { key: "n", name: "act.note", run: () => setDialog("note") },
      { key: "i", name: "act.assign", run: () => setDialog("assign") },
      { key: "s", name: "act.suppress", run: () => setDialog("suppress") },
      {
        key: "p",
        name: "act.promote",
        run: () => setDialog("promote"),
        off: alert.state === "promoted" || alert.source === "falco",
      },
      { key: "u", name: "act.undo", run: () => run({ action: "undo" }), off: !undoable(alert) },
    ];
  const may = useMay("POST /api/alerts/{id}/ack");
  const usable = buttons.filter((button) => may && !button.off);
  useKeys(Object.fromEntries(usable.filter((b) => b.key).map((b) => [b.key, b.run])));
  return (
    <div className="actions" role="group" aria-label={t("detail.actions")}>
      {!may && <span className="muted">{t("detail.readOnly")}</span>}
      {usable.map((button, i) => (
        <button
          key={button.name as string}
          type="button"
          className={i === 0 && button.name === "act.ack" ? "button primary" : "button"}
          title={button.key}
          disabled={change.isPending}
          onClick={button.run}
        >
          {t(button.name as "act.ack")}
        </button>
      ))}
      {(dialog === "note" || dialog === "assign") && (
        <Note kind={dialog} alert={alert} act={perform} close={() => setDialog(null)} />
      )}
      <Suspense>
        {dialog === "suppress" && (
          <Suppress
            alert={alert}
            preview={(what) => ask(alert.id, what, true)}
            act={perform}
            close={() => setDialog(null)}
          />
        )}
        {dialog === "promote" && (
          <Promote alert={alert} act={perform} close={() => setDialog(null)} />
        )}
      </Suspense>
    </div>
  );
}

/** Half a minute before the first occurrence to half a minute after it. */
function around(alert: Alert) {
  const time = Date.parse(alert.first_seen ?? "");
  if (Number.isNaN(time)) return {};
  const at = (ms: number) => new Date(time + ms).toISOString();
  return { start: at(-30_000), end: at(30_000) };
}

function Context({ alert }: { alert: Alert }) {
  const { t, i18n } = useTranslation();
  const rows: [string, string][] = [
    [t("alerts.container"), `${alert.container.name} ${alert.container.id}`],
    [t("detail.image"), alert.container.image],
    [t("detail.host"), alert.host],
    [t("detail.pod"), alert.k8s.pod && `${alert.k8s.namespace}/${alert.k8s.pod}`],
    [t("detail.identity"), alert.identity],
    [t("detail.rule"), alert.rule],
    [t("detail.technique"), alert.mitre.join(", ")],
    [t("detail.first"), moment(alert.first_seen, i18n.language)],
    [t("detail.last"), moment(alert.last_seen, i18n.language)],
  ];
  return (
    <section>
      <h3>{t("detail.context")}</h3>
      <dl className="pairs">
        {rows
          .filter(([, value]) => value.trim() !== "")
          .map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>
                <Raw value={value} />
              </dd>
            </div>
          ))}
      </dl>
      {alert.containers_total > 1 && (
        <p>
          {t("detail.containers", { n: alert.containers_total })}:{" "}
          {alert.containers.map((one) => (
            <span key={one.id}>
              <Raw value={one.name || one.id} /> {t("times", { n: one.count })}{" "}
            </span>
          ))}
        </p>
      )}
      <p className="head">
        <Link
          to={link(`/containers/${encodeURIComponent(alert.container.id)}/logs`, around(alert))}
        >
          {t("detail.events")}
        </Link>
        <Link
          to={link(`/trees/${encodeURIComponent(alert.identity)}`, {
            node: alert.path.learned.at(-1) ?? alert.lineage.at(-1)?.name,
          })}
        >
          {t("detail.tree")}
        </Link>
      </p>
      {alert.incident && (
        <p>
          <Link to={`/incidents/${encodeURIComponent(alert.incident)}`}>
            {t("detail.incident")}
          </Link>
        </p>
      )}
    </section>
  );
}

function History({ alert }: { alert: Alert }) {
  const { t, i18n } = useTranslation();
  if (alert.history.length === 0) return null;
  return (
    <section>
      <h3>{t("detail.history")}</h3>
      <ol className="history">
        {[...alert.history].reverse().map((one, i) => (
          <li key={`${one.at ?? ""} ${i}`} className={one.undone ? "undone" : ""}>
            <b>
              {i18n.exists(`done.${one.action}`) ? t(`done.${one.action as "ack"}`) : one.action}
            </b>{" "}
            <span className="muted">
              <Raw value={one.by} mono={false} /> · <Ago time={one.at} />
              {one.undone && ` · ${t("detail.undone")}`}
            </span>
            {one.text && (
              <p>
                <Raw value={one.text} most={5000} mono={false} />
              </p>
            )}
          </li>
        ))}
      </ol>
    </section>
  );
}

function Samples({ alert }: { alert: Alert }) {
  const { t } = useTranslation();
  const { message } = App.useApp();
  if (alert.samples.length === 0) return null;
  return (
    <section>
      <h3>{t("detail.samples")}</h3>
      {alert.samples.map((sample, i) => {
        const text = JSON.stringify(sample, null, 2);
        return (
          <details key={i} open={i === 0} className="sample">
            <summary>
              {i + 1} / {alert.samples.length}
            </summary>
            <button
              type="button"
              className="button small"
              onClick={() => {
                void navigator.clipboard
                  .writeText(text)
                  .then(() => message.success(t("detail.copied")));
              }}
            >
              {t("detail.copy")}
            </button>
            <pre tabIndex={0} aria-label={t("detail.samples")}>
              {shown(text, SHOWN_WHOLE, true)}
            </pre>
          </details>
        );
      })}
    </section>
  );
}
