import { useTranslation } from "react-i18next";
import { Dialog } from "./dialog";

/** The keys. */
export default function Help({ close }: { close: () => void }) {
  const { t } = useTranslation();
  const keys: [string, string][] = [
    ["j / k", t("help.move")],
    ["Enter / Esc", t("help.open")],
    ["a", t("act.ack")],
    ["n", t("act.note")],
    ["r", t("act.resolve")],
    ["s", t("act.suppress")],
    ["p", t("act.promote")],
    ["u", t("act.undo")],
    ["x", t("help.select")],
    ["/", t("help.search")],
    ["f", t("help.follow")],
    ["g o / a / i / c / t / s", t("help.pages")],
    ["?", t("help.this")],
  ];
  return (
    <Dialog title={t("help.title")} close={close}>
      <dl className="pairs">
        {keys.map(([key, text]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{text}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
