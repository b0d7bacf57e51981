import type { ReactNode, RefObject } from "react";
import { useTranslation } from "react-i18next";
import { type ColumnDef, createColumnHelper } from "@tanstack/react-table";
import type { Priority } from "../api/client";
import { Ago, Severity } from "./bits";
import { Grid, type GridProps } from "./grid";
import { type Asked, States } from "./states";

interface ListProps<T> extends Omit<GridProps<T>, "count" | "at" | "version" | "height"> {
  asked: Asked;
  empty: ReactNode;
  rows: readonly T[];
  box?: RefObject<HTMLDivElement>;
}

/** Pixels of a row with two lines of text. */
const ROW = 46;

/** Rows that are known as a whole, in a grid that fills the page. */
export function List<T>({ asked, empty, rows, box, ...grid }: ListProps<T>) {
  return (
    <States asked={asked} count={rows.length} empty={empty}>
      <div className="grid-box" ref={box}>
        <Grid
          {...grid}
          count={rows.length}
          at={(index) => rows[index]}
          height={ROW}
          version={rows}
        />
      </div>
    </States>
  );
}

/** What may ask for its next page. */
interface Paged {
  hasNextPage: boolean;
  isFetching: boolean;
  fetchNextPage: () => unknown;
}

/** Asks for the next page, once, where there is one. */
export function more({ hasNextPage, isFetching, fetchNextPage }: Paged): void {
  if (hasNextPage && !isFetching) void fetchNextPage();
}

/** A column of priorities: a word beside the bars where there is room. */
export function priorityColumn<T extends { priority: Priority }>(): ColumnDef<T> {
  return createColumnHelper<T>().display({
    id: "priority",
    header: function Head() {
      return <span className="fold">{useTranslation().t("priority.label")}</span>;
    },
    cell: ({ row }) => <Severity priority={row.original.priority} />,
    meta: { track: "112px", tiny: "20px" },
  });
}

/** A column of times, as long ago as they are. */
export function agoColumn<T>(
  id: string,
  head: string,
  time: (row: T) => string | null,
  wide = false,
): ColumnDef<T> {
  return createColumnHelper<T>().display({
    id,
    header: head,
    cell: ({ row }) => (
      <span className="number">
        <Ago time={time(row.original)} />
      </span>
    ),
    meta: wide ? { track: "98px", wide } : { track: "98px", tiny: "74px" },
  });
}
