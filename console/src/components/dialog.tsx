import { Button } from "antd";
import { type ReactNode, useEffect, useId, useRef, useState } from "react";
import { useTranslation } from "react-i18next";

interface Props {
  title: string;
  close: () => void;
  children: ReactNode;
  /** What its one button does; without it there is none. */
  ok?: { text: string; run: () => Promise<unknown>; disabled?: boolean };
}

/**
 * The browser's own dialog: it holds the focus and closes on Escape by itself. Ant Design's locks
 * scrolling by a style without a nonce, which the page's policy refuses.
 */
export function Dialog({ title, close, children, ok }: Props) {
  const { t } = useTranslation();
  const box = useRef<HTMLDialogElement>(null);
  const id = useId();
  const [busy, setBusy] = useState(false);
  useEffect(() => {
    const dialog = box.current;
    dialog?.showModal();
    return () => dialog?.close();
  }, []);
  const run = () => {
    setBusy(true);
    void ok?.run().finally(() => setBusy(false));
  };
  return (
    <dialog
      ref={box}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        close();
      }}
    >
      <h2 id={id}>{title}</h2>
      <div className="dialog-body">{children}</div>
      <footer>
        <Button onClick={close}>{t(ok ? "cancel" : "close")}</Button>
        {ok && (
          <Button type="primary" loading={busy} disabled={ok.disabled} onClick={run}>
            {ok.text}
          </Button>
        )}
      </footer>
    </dialog>
  );
}
