import { type FormEvent, useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { logIn } from "../api/session";

/** Asks for a token, which becomes a session; shown instead of the pages. */
export function Login() {
  const { t } = useTranslation();
  const [token, setToken] = useState("");
  const [failed, setFailed] = useState<"refused" | "unreachable" | null>(null);
  const [busy, setBusy] = useState(false);
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), []);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    const came = await logIn(token.trim());
    setBusy(false);
    setFailed(came === "in" ? null : came);
    setToken("");
  };
  return (
    <main className="login">
      <form className="nothing" onSubmit={(event) => void submit(event)}>
        <h1>{t("login.title")}</h1>
        <p>{t("login.text")}</p>
        <label htmlFor="token">{t("login.token")}</label>
        <input
          id="token"
          ref={field}
          type="password"
          autoComplete="off"
          required
          value={token}
          onChange={(event) => setToken(event.target.value)}
        />
        {failed && (
          <p role="alert">{t(failed === "refused" ? "login.refused" : "error.unreachable")}</p>
        )}
        <button type="submit" className="button" disabled={busy || token.trim() === ""}>
          {t("login.enter")}
        </button>
      </form>
    </main>
  );
}
