import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Alert } from "../api/client";
import type { Act } from "../lib/alerts";
import { Failed } from "./bits";

interface Props {
  kind: "note" | "assign";
  alert: Alert;
  act: (what: Act) => Promise<unknown>;
  close: () => void;
}

/** A line to write: a remark, or whose it is. */
export function Note({ kind, alert, act, close }: Props) {
  const { t } = useTranslation();
  const [text, setText] = useState(kind === "assign" ? alert.assignee : "");
  const [error, setError] = useState<unknown>(null);
  const save = (event: FormEvent) => {
    event.preventDefault();
    const what: Act =
      kind === "assign"
        ? { action: "assign", to: text.trim() }
        : { action: "note", text: text.trim() };
    act(what).then(close, setError);
  };
  const label = t(kind === "assign" ? "assign.to" : "note.text");
  return (
    <form
      className="note"
      onSubmit={save}
      aria-label={t(kind === "assign" ? "assign.title" : "note.title")}
    >
      <input
        className="input"
        aria-label={label}
        placeholder={label}
        value={text}
        maxLength={kind === "assign" ? 100 : 4000}
        // It was asked for by a key or a button a moment ago.
        // eslint-disable-next-line jsx-a11y/no-autofocus
        autoFocus
        onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === "Escape") {
            event.stopPropagation();
            close();
          }
        }}
      />
      <button
        type="submit"
        className="button primary"
        disabled={kind === "note" && text.trim() === ""}
      >
        {t(kind === "assign" ? "act.assign" : "note.save")}
      </button>
      <button type="button" className="button" onClick={close}>
        {t("cancel")}
      </button>
      {error !== null && <Failed error={error} />}
    </form>
  );
}
