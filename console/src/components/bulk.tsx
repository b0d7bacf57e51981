import { useMutation, useQueryClient } from "@tanstack/react-query";
import { App } from "antd";
import { Suspense, lazy, useState } from "react";
import { useTranslation } from "react-i18next";
import { answer, api } from "../api/client";
import { useMay } from "../api/session";
import type { Act } from "../lib/alerts";

const Suppress = lazy(() => import("./suppress"));

/** What can be done to all that are selected. */
export function Bulk({ ids, clear }: { ids: string[]; clear: () => void }) {
  const { t } = useTranslation();
  const { message } = App.useApp();
  const client = useQueryClient();
  const [suppressing, setSuppressing] = useState(false);
  const may = useMay("POST /api/alerts/bulk");
  const ask = (what: Act, dry_run: boolean) => {
    const params = { query: { dry_run } };
    return answer(api.POST("/api/alerts/bulk", { params, body: { ids, ...what } }));
  };
  const change = useMutation({
    mutationFn: (what: Act) => ask(what, false),
    onSuccess: (done) => {
      clear();
      void message.success(t("done.bulk", { n: done.done, refused: done.refused.length }));
      void client.invalidateQueries();
    },
    onError: (error) => void message.error(error.message),
  });
  if (!may) return <span className="muted">{t("detail.readOnly")}</span>;
  return (
    <span className="bulk">
      <b>{t("alerts.selected", { n: ids.length })}</b>
      {(["ack", "resolve", "reopen"] as const).map((action) => (
        <button
          key={action}
          type="button"
          className="button small"
          disabled={change.isPending}
          onClick={() => change.mutate({ action })}
        >
          {t(`act.${action}`)}
        </button>
      ))}
      <button type="button" className="button small" onClick={() => setSuppressing(true)}>
        {t("act.suppress")}
      </button>
      <button type="button" className="button small plain" onClick={clear}>
        {t("alerts.deselect")}
      </button>
      {suppressing && (
        <Suspense>
          <Suppress
            preview={(what) => ask(what, true)}
            act={(what) => change.mutateAsync(what)}
            close={() => setSuppressing(false)}
          />
        </Suspense>
      )}
    </span>
  );
}
