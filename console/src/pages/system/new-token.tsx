import { useMutation, useQueryClient } from "@tanstack/react-query";
import { App, Button } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { type Schema, answer, api } from "../../api/client";
import { Failed } from "../../components/bits";
import { Dialog } from "../../components/dialog";

type New = Schema["NewToken"];

const ROLES: New["role"][] = ["viewer", "analyst", "admin", "ingest", "metrics"];
const DAY = 86_400;
/** Seconds that a token lives, each with its word; 0 is for good. */
const LIVES = [
  [7 * DAY, "tokens.week"],
  [90 * DAY, "tokens.quarter"],
  [365 * DAY, "tokens.year"],
  [0, "suppress.never"],
] as const;

/** Patterns as they are typed: with commas or spaces between them. */
export function patterns(text: string): string[] {
  return text.split(/[\s,]+/).filter((one) => one !== "");
}

/** What is asked of the service for what stands in the form. */
export function order(form: {
  name: string;
  role: New["role"];
  namespaces: string;
  containers: string;
  life: number;
}): New {
  const scope = { namespaces: patterns(form.namespaces), containers: patterns(form.containers) };
  const scoped = scope.namespaces.length + scope.containers.length > 0;
  return {
    name: form.name.trim(),
    role: form.role,
    ...(scoped ? { scope } : {}),
    ...(form.life > 0 ? { expires_in: form.life } : {}),
  };
}

/** A form for a token, and then the token: this once, since the service keeps only its hash. */
export function NewToken({ close }: { close: () => void }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const [form, setForm] = useState({
    name: "",
    role: "viewer" as New["role"],
    namespaces: "",
    containers: "",
    life: 90 * DAY,
  });
  const put = (change: Partial<typeof form>) => setForm((old) => ({ ...old, ...change }));
  const make = useMutation({
    mutationFn: () => answer(api.POST("/api/tokens", { body: order(form) })),
    onSuccess: () => client.invalidateQueries({ queryKey: ["tokens"] }),
  });
  if (make.data)
    return (
      <Dialog title={t("tokens.made")} close={close}>
        <Secret secret={make.data.token ?? ""} />
      </Dialog>
    );
  const ok = {
    text: t("tokens.make"),
    disabled: form.name.trim() === "",
    // What is refused is shown below the form.
    run: () => make.mutateAsync().catch(() => null),
  };
  return (
    <Dialog title={t("tokens.new")} close={close} ok={ok}>
      <div className="fields">
        <label htmlFor="token-name">{t("tokens.name")}</label>
        <input
          id="token-name"
          className="input"
          maxLength={100}
          value={form.name}
          onChange={(event) => put({ name: event.target.value })}
        />
        <label htmlFor="token-role">{t("tokens.role")}</label>
        <select
          id="token-role"
          className="input"
          value={form.role}
          onChange={(event) => put({ role: event.target.value as New["role"] })}
        >
          {ROLES.map((role) => (
            <option key={role} value={role}>
              {t(`role.${role}`)} – {t(`roleText.${role}`)}
            </option>
          ))}
        </select>
        <label htmlFor="token-life">{t("suppress.expiry")}</label>
        <select
          id="token-life"
          className="input"
          value={form.life}
          onChange={(event) => put({ life: Number(event.target.value) })}
        >
          {LIVES.map(([seconds, word]) => (
            <option key={seconds} value={seconds}>
              {t(word)}
            </option>
          ))}
        </select>
        <label htmlFor="token-containers">{t("tokens.containers")}</label>
        <input
          id="token-containers"
          className="input"
          placeholder="web-*, db"
          value={form.containers}
          onChange={(event) => put({ containers: event.target.value })}
        />
        <label htmlFor="token-namespaces">{t("tokens.namespaces")}</label>
        <input
          id="token-namespaces"
          className="input"
          placeholder="shop, team-*"
          value={form.namespaces}
          onChange={(event) => put({ namespaces: event.target.value })}
        />
      </div>
      <p className="muted">{t("tokens.scopeText")}</p>
      {make.isError && <Failed error={make.error} />}
    </Dialog>
  );
}

function Secret({ secret }: { secret: string }) {
  const { t } = useTranslation();
  const { message } = App.useApp();
  const copy = () =>
    navigator.clipboard.writeText(secret).then(
      () => void message.success(t("detail.copied")),
      () => void message.error(t("tokens.noCopy")),
    );
  return (
    <>
      <p>{t("tokens.once")}</p>
      <pre tabIndex={0} aria-label={t("login.token")}>
        {secret}
      </pre>
      <Button onClick={() => void copy()}>{t("detail.copy")}</Button>
    </>
  );
}
