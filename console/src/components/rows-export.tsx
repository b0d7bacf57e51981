import { useTranslation } from "react-i18next";
import { type Row, csv, keep } from "../lib/files";

interface Props<T> {
  /** The file's name without its ending. */
  name: string;
  rows: readonly T[];
  /** What is written of a row. */
  write: (row: T) => Row;
}

/** The rows that are shown, as a file, for lists of which the service writes none. */
export function RowsExport<T>({ name, rows, write }: Props<T>) {
  const { t } = useTranslation();
  const file = (ending: "csv" | "json") => () => {
    const written = rows.map(write);
    if (ending === "csv") keep(`${name}.csv`, "text/csv", csv(written));
    else keep(`${name}.json`, "application/json", `${JSON.stringify(written, null, 2)}\n`);
  };
  return (
    <details className="menu">
      <summary className="button">{t("alerts.export")}</summary>
      <div>
        {(["csv", "json"] as const).map((ending) => (
          <button
            key={ending}
            type="button"
            className="button plain"
            disabled={rows.length === 0}
            onClick={file(ending)}
          >
            {ending.toUpperCase()}
          </button>
        ))}
      </div>
    </details>
  );
}
