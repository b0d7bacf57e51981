import { useQuery } from "@tanstack/react-query";
import { Radio } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Alert } from "../api/client";
import { type Act, act as ask } from "../lib/alerts";
import { count } from "../lib/format";
import { shown } from "../lib/untrusted";
import { Failed, Loading, Raw } from "./bits";
import { Dialog } from "./dialog";

interface Props {
  alert: Alert;
  act: (what: Act) => Promise<unknown>;
  close: () => void;
}

/** Adds a behaviour to its profile, after a look at what else that lets through. */
export default function Promote({ alert, act, close }: Props) {
  const { t, i18n } = useTranslation();
  const [path, setPath] = useState<"literal" | "generalised">("literal");
  const [error, setError] = useState<unknown>(null);
  const asked = useQuery({
    queryKey: ["promoting", alert.id, path],
    queryFn: () => ask(alert.id, { action: "promote", path }, true),
    gcTime: 0,
    retry: false,
  });
  const preview = asked.data;
  const number = (n: number | undefined) => count(n ?? 0, i18n.language);
  const lets = preview?.lets_through ?? [];
  return (
    <Dialog
      title={t("promote.title")}
      close={close}
      ok={{
        text: t("promote.do"),
        disabled: !preview,
        run: () => act({ action: "promote", path }).then(close, setError),
      }}
    >
      <p className="muted">{t("promote.about", { identity: shown(alert.identity, 120) })}</p>
      <Radio.Group
        aria-label={t("promote.width")}
        className="choices"
        value={path}
        onChange={(event) => setPath(event.target.value as typeof path)}
        options={[
          { value: "literal", label: t("promote.literal") },
          { value: "generalised", label: t("promote.generalised") },
        ]}
      />
      {asked.isPending && <Loading lines={2} />}
      {preview && (
        <div className="preview" role="status">
          <p>
            {t("promote.preview", {
              alerts: number(preview.alerts),
              nodes: number(preview.nodes),
            })}
          </p>
          {(preview.accepts ?? 0) > 0 && (
            <p className="bad">{t("promote.accepts", { n: number(preview.accepts) })}</p>
          )}
          {lets.length > 0 && (
            <>
              <h3>{t("promote.lets")}</h3>
              <ul className="lines">
                {lets.map((line) => (
                  <li key={line}>
                    <Raw value={line} />
                  </li>
                ))}
              </ul>
              {(preview.lets_through_total ?? 0) > lets.length && (
                <p className="muted">
                  {t("more", { n: number((preview.lets_through_total ?? 0) - lets.length) })}
                </p>
              )}
            </>
          )}
        </div>
      )}
      {(error ?? asked.error) && <Failed error={error ?? asked.error} />}
    </Dialog>
  );
}
