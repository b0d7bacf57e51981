import { useTranslation } from "react-i18next";
import type { Schema } from "../api/client";
import { moment } from "../lib/format";
import { useSearch } from "../lib/search";

/** Alerts over time as bars; each leads to its time. */
export function AlertSteps({ steps }: { steps: Schema["AlertStep"][] }) {
  const { t, i18n } = useTranslation();
  const { set } = useSearch();
  const most = Math.max(1, ...steps.map((step) => step.active));
  if (steps.length < 2) return null;
  return (
    <ol className="steps" aria-label={t("alerts.trend")}>
      {steps.map((step) => {
        const text = t("alerts.trendStep", {
          time: moment(step.start, i18n.language),
          n: step.active,
          opened: step.opened,
        });
        return (
          <li key={step.start}>
            {step.active > 0 && (
              <button
                type="button"
                title={text}
                aria-label={text}
                onClick={() => set({ start: step.start, end: step.end })}
              >
                <i style={{ height: `${Math.max(6, (100 * step.active) / most)}%` }} />
              </button>
            )}
          </li>
        );
      })}
    </ol>
  );
}
