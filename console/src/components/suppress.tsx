import { useQuery } from "@tanstack/react-query";
import { Input, Radio } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Alert, Schema } from "../api/client";
import type { Act } from "../lib/alerts";
import { shown } from "../lib/untrusted";
import { Failed } from "./bits";
import { Dialog } from "./dialog";

const HOUR = 3600;
const EXPIRIES = [
  ["suppress.hour", HOUR],
  ["suppress.day", 24 * HOUR],
  ["suppress.week", 7 * 24 * HOUR],
  ["suppress.month", 30 * 24 * HOUR],
  ["suppress.never", 0],
] as const;

interface Props {
  /** The one alert it is about; none for several. */
  alert?: Alert;
  preview: (what: Act) => Promise<{ alerts: number }>;
  act: (what: Act) => Promise<unknown>;
  close: () => void;
}

/** Scope, end and reason of a suppression, with what it would come to. */
export default function Suppress({ alert, preview, act, close }: Props) {
  const { t } = useTranslation();
  const [scope, setScope] = useState<Schema["SuppressionScope"]>("fingerprint");
  const [seconds, setSeconds] = useState<number>(24 * HOUR);
  const [text, setText] = useState("");
  const [error, setError] = useState<unknown>(null);
  const what: Act = {
    action: "suppress",
    scope,
    ...(seconds > 0 ? { expires_in: seconds } : {}),
    ...(text.trim() ? { text: text.trim() } : {}),
  };
  const asked = useQuery({
    queryKey: ["suppressing", alert?.id, scope, seconds],
    queryFn: () => preview({ ...what, text: undefined }),
    gcTime: 0,
  });
  const values = {
    rule: alert?.rule ?? "",
    container: alert ? alert.container.name || alert.container.id : "",
    identity: alert?.identity ?? "",
  };
  return (
    <Dialog
      title={t("suppress.title")}
      close={close}
      ok={{ text: t("suppress.do"), run: () => act(what).then(close, setError) }}
    >
      <p className="muted">{t("suppress.about")}</p>
      <h3 id="suppress-scope">{t("suppress.scope")}</h3>
      <Radio.Group
        aria-labelledby="suppress-scope"
        className="choices"
        value={scope}
        onChange={(event) => setScope(event.target.value as typeof scope)}
        options={[
          { value: "fingerprint", label: t("suppress.fingerprint") },
          ...(["rule", "container", "identity"] as const).map((one) => ({
            value: one,
            label: t(`suppress.${one}`, { v: shown(values[one], 80) }),
          })),
        ]}
      />
      <h3 id="suppress-expiry">{t("suppress.expiry")}</h3>
      <Radio.Group
        aria-labelledby="suppress-expiry"
        value={seconds}
        onChange={(event) => setSeconds(event.target.value as number)}
        options={EXPIRIES.map(([name, value]) => ({ value, label: t(name) }))}
      />
      <h3 id="suppress-reason">{t("suppress.reason")}</h3>
      <Input
        aria-labelledby="suppress-reason"
        value={text}
        maxLength={1000}
        onChange={(event) => setText(event.target.value)}
      />
      <p className="preview" role="status">
        {asked.data && t("suppress.preview", { count: asked.data.alerts })}
      </p>
      {(error ?? asked.error) && <Failed error={error ?? asked.error} />}
    </Dialog>
  );
}
