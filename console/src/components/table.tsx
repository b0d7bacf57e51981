import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { type Asked, States } from "./states";

export interface Column<T> {
  head: ReactNode;
  cell: (row: T) => ReactNode;
  /** A class of the cell. */
  tone?: (row: T) => string;
}

interface Props<T> {
  /** Its name; what scrolls can be gone to by key, and needs one. */
  label: string;
  rows: readonly T[] | undefined;
  /** Left out where the rows are no answer of their own. */
  asked?: Asked;
  id: (row: T, index: number) => string;
  columns: Column<T>[];
  empty?: ReactNode;
}

const ANSWERED: Asked = { isPending: false, isError: false, error: null, refetch: () => null };

/** A short list as a plain table; long ones are a {@link Grid}. */
export function Table<T>({ label, rows = [], asked = ANSWERED, id, columns, empty }: Props<T>) {
  const { t } = useTranslation();
  return (
    <States
      asked={asked}
      count={rows.length}
      empty={empty ?? <p className="muted">{t("none")}</p>}
      lines={6}
    >
      <div className="scroll" role="region" aria-label={label} tabIndex={0}>
        <table>
          <thead>
            <tr>
              {columns.map((column, i) => (
                <th key={i}>{column.head}</th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map((row, index) => (
              <tr key={id(row, index)}>
                {columns.map((column, i) => (
                  <td key={i} className={column.tone?.(row)}>
                    {column.cell(row)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </States>
  );
}
