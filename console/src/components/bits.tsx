import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Problem, type Priority } from "../api/client";
import { ago, level, moment } from "../lib/format";
import { useNow } from "../lib/now";
import { shown } from "../lib/untrusted";

/** Text that came from a container: bounded, its direction kept to itself. */
export function Raw({
  value,
  most,
  mono = true,
}: {
  value: string;
  most?: number;
  mono?: boolean;
}) {
  return <bdi className={mono ? "raw mono" : "raw"}>{shown(value, most)}</bdi>;
}

/** Bars and a word, so that it can be read without colour. */
export function Severity({ priority, bare = false }: { priority: Priority; bare?: boolean }) {
  const { t } = useTranslation();
  const bars = level(priority);
  return (
    <span className={`severity level-${bars}`} title={t(`priority.${priority}`)}>
      <span className="bars" aria-hidden="true">
        {[1, 2, 3, 4, 5].map((bar) => (
          <i key={bar} className={bar <= bars ? "on" : ""} />
        ))}
      </span>
      <span className={bare ? "sr-only" : ""}>{t(`priority.${priority}`)}</span>
    </span>
  );
}

/** How long ago; the whole time on hover. */
export function Ago({ time }: { time: string | null | undefined }) {
  const { t, i18n } = useTranslation();
  const passed = ago(time, useNow());
  if (!passed) return <span>–</span>;
  const text = passed.unit === "now" ? t("ago.now") : t(`ago.${passed.unit}`, { n: passed.n });
  return (
    <time dateTime={time ?? undefined} title={`${moment(time, i18n.language)}\n${time ?? ""}`}>
      {text}
    </time>
  );
}

/** Shapes of what comes; shown only when it takes a while. */
export function Loading({ lines = 6 }: { lines?: number }) {
  const { t } = useTranslation();
  return (
    <div className="loading" role="status" aria-label={t("loading")}>
      {Array.from({ length: lines }, (_, i) => (
        <i key={i} />
      ))}
    </div>
  );
}

/** Nothing to show, and what that means. */
export function Nothing({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="nothing">
      <strong>{title}</strong>
      {children}
    </div>
  );
}

/** What failed, in the service's words, and a way on. */
export function Failed({ error, retry }: { error: unknown; retry?: () => void }) {
  const { t } = useTranslation();
  const problem = error instanceof Problem ? error : null;
  const status = problem?.status ?? 0;
  return (
    <div className="failed" role="alert">
      <strong>{status === 0 ? t("error.unreachable") : problem?.title}</strong>
      <p>
        <Raw value={error instanceof Error ? error.message : ""} mono={false} />
        {status > 0 && <span className="muted"> HTTP {status}</span>}
      </p>
      {(problem?.candidates ?? []).map((one) => (
        <p key={one.id}>
          <a href={`/containers/${encodeURIComponent(one.id)}`}>
            <Raw value={`${one.name} · ${one.id.slice(0, 12)} · ${one.host}`} />
          </a>
        </p>
      ))}
      {retry && (
        <button type="button" className="button" onClick={retry}>
          {t("error.retry")}
        </button>
      )}
    </div>
  );
}
