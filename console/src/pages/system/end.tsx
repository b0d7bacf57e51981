import { useMutation, useQueryClient } from "@tanstack/react-query";
import { App } from "antd";
import { useTranslation } from "react-i18next";
import { useMay } from "../../api/session";
import { shown } from "../../lib/untrusted";

/** An end to something that was decided; a refusal is told in the service's words. */
export function useEnd(key: string, end: (id: string) => Promise<unknown>) {
  const { message } = App.useApp();
  const client = useQueryClient();
  return useMutation({
    mutationFn: end,
    onSuccess: () => client.invalidateQueries({ queryKey: [key] }),
    onError: (error) => void message.error(shown(error.message, 300)),
  });
}

interface Props {
  active: boolean;
  busy: boolean;
  end: () => void;
  /** The route that ends it; who may not use it gets no button. */
  route: string;
  /** What the button says; "end" without it. */
  word?: string;
}

/** Whether something still counts, and the way to end it. */
export function State({ active, busy, end, route, word }: Props) {
  const { t } = useTranslation();
  const may = useMay(route);
  if (!active) return <span className="tag">{t("system.ended")}</span>;
  return (
    <>
      <span className="tag good">{t("system.active")}</span>
      {may && (
        <button type="button" className="button small" disabled={busy} onClick={end}>
          {word ?? t("system.end")}
        </button>
      )}
    </>
  );
}
