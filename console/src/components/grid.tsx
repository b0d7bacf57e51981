import {
  type Column,
  type ColumnDef,
  type Row,
  flexRender,
  getCoreRowModel,
  useReactTable,
} from "@tanstack/react-table";
import { useVirtualizer } from "@tanstack/react-virtual";
import {
  type ReactNode,
  type RefObject,
  memo,
  useEffect,
  useId,
  useImperativeHandle,
  useMemo,
  useRef,
} from "react";

declare module "@tanstack/react-table" {
  // eslint-disable-next-line @typescript-eslint/no-unused-vars -- the signature is the library's
  interface ColumnMeta<TData, TValue> {
    /** A CSS grid track. */
    track: string;
    /** Left out where there is little room. */
    wide?: boolean;
    /** The track on a phone. */
    tiny?: string;
  }
}

export interface GridHandle {
  /** Goes to the end and says whether it was there before. */
  toEnd(): void;
  /** Moves with rows that left at the head. */
  shift(rows: number): void;
  atTop(): boolean;
  focus(): void;
}

export interface GridProps<T> {
  label: string;
  columns: ColumnDef<T>[];
  count: number;
  /** Rows by index; the index is all that is kept of them. */
  at: (index: number) => T | undefined;
  id: (row: T, index: number) => string;
  height: number;
  active?: string;
  onOpen?: (row: T) => void;
  /** The last rows are near. */
  onEnd?: () => void;
  /** The first rows are near. */
  onStart?: () => void;
  onScroll?: (nearEnd: boolean) => void;
  tone?: (row: T) => string;
  handle?: RefObject<GridHandle | null>;
  footer?: ReactNode;
  /** Changes when rows may be others at the same index. */
  version?: unknown;
}

/**
 * A list of any length as a grid: only what is seen is in the page, and TanStack Table gets only
 * that, since it makes an object of every row it is given.
 */
export function Grid<T>(props: GridProps<T>) {
  const { columns, count, at, id, height, active, onOpen, onEnd, tone } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const prefix = useId();
  const virtual = useVirtualizer({
    count,
    getScrollElement: () => scroller.current,
    estimateSize: () => height,
    overscan: 8,
  });
  const items = virtual.getVirtualItems();
  const first = items[0]?.index ?? 0;
  const last = items.at(-1)?.index ?? -1;
  const slice = useMemo(() => {
    const rows: T[] = [];
    for (let index = first; index <= last; index += 1) {
      const row = at(index);
      if (row !== undefined) rows.push(row);
    }
    return rows;
    // eslint-disable-next-line react-hooks/exhaustive-deps -- the version stands for the rows
  }, [first, last, at, count, props.version]);
  const table = useReactTable({ data: slice, columns, getCoreRowModel: getCoreRowModel() });

  useEffect(() => {
    if (onEnd && count > 0 && last >= count - 10) onEnd();
  }, [last, count, onEnd]);
  const { onStart } = props;
  const wanted = onStart !== undefined;
  useEffect(() => {
    // The box, since rows that were put before may have moved it and not yet what is drawn.
    const top = scroller.current?.scrollTop ?? 0;
    if (onStart && count > 0 && first < 10 && top < 10 * height) onStart();
    // eslint-disable-next-line react-hooks/exhaustive-deps -- only going up asks, and once a place
  }, [first, wanted]);
  useImperativeHandle(props.handle, () => ({
    toEnd: () => virtual.scrollToIndex(count - 1, { align: "end" }),
    shift: (rows) => {
      if (scroller.current) scroller.current.scrollTop -= rows * height;
    },
    atTop: () => (scroller.current?.scrollTop ?? 0) < height,
    focus: () => scroller.current?.focus(),
  }));
  const activeIndex = slice.findIndex((row, i) => id(row, first + i) === active);
  const scrolled = () => {
    const box = scroller.current;
    if (box) props.onScroll?.(box.scrollHeight - box.scrollTop - box.clientHeight < 2 * height);
  };
  const tracks = columns.map((column) => column.meta?.track ?? "1fr");
  const narrow = columns.filter((c) => !c.meta?.wide).map((c) => c.meta?.track ?? "1fr");
  const tiny = columns
    .filter((c) => !c.meta?.wide)
    .map((c) => c.meta?.tiny ?? c.meta?.track ?? "1fr");
  // The policy lets scripts set properties, which is how a grid gets its columns.
  useEffect(() => {
    scroller.current?.style.setProperty("--tracks", tracks.join(" "));
    scroller.current?.style.setProperty("--tracks-narrow", narrow.join(" "));
    scroller.current?.style.setProperty("--tracks-tiny", tiny.join(" "));
  });
  return (
    <div
      className="grid"
      role="grid"
      aria-label={props.label}
      aria-rowcount={count + 1}
      tabIndex={0}
      aria-activedescendant={activeIndex >= 0 ? `${prefix}-${first + activeIndex}` : undefined}
      ref={scroller}
      onScroll={scrolled}
    >
      <div role="rowgroup" className="grid-head">
        {table.getHeaderGroups().map((group) => (
          <div role="row" className="grid-row" key={group.id} aria-rowindex={1}>
            {group.headers.map((header) => (
              <div role="columnheader" key={header.id} className={wide(header.column)}>
                {flexRender(header.column.columnDef.header, header.getContext())}
              </div>
            ))}
          </div>
        ))}
      </div>
      <div role="rowgroup" className="grid-body" style={{ height: virtual.getTotalSize() }}>
        {table.getRowModel().rows.map((row, i) => {
          const index = first + i;
          return (
            <Line
              key={id(row.original, index)}
              row={row}
              original={row.original}
              name={`${prefix}-${index}`}
              index={index}
              top={index * height}
              height={height}
              active={i === activeIndex}
              tone={tone?.(row.original) ?? ""}
              columns={columns}
              open={onOpen as ((row: unknown) => void) | undefined}
            />
          );
        })}
      </div>
      {props.footer}
    </div>
  );
}

function wide<T>(column: Column<T>): string {
  return column.columnDef.meta?.wide ? "wide" : "";
}

interface LineProps {
  row: Row<unknown>;
  original: unknown;
  columns: unknown;
  name: string;
  index: number;
  top: number;
  height: number;
  active: boolean;
  tone: string;
  open?: (row: unknown) => void;
}

const Line = memo(
  function Line({ row, name, index, top, height, active, tone, open }: LineProps) {
    return (
      <div
        role="row"
        id={name}
        aria-rowindex={index + 2}
        aria-selected={active}
        className={`grid-row ${tone}${open ? " opens" : ""}`}
        style={{ transform: `translateY(${top}px)`, height }}
        onClick={(event) => {
          const inner = (event.target as HTMLElement).closest("a, button, input, label");
          // Who marks text wants to copy it.
          if (!inner && !getSelection()?.toString()) open?.(row.original);
        }}
      >
        {row.getVisibleCells().map((cell) => (
          <div role="gridcell" key={cell.id} className={wide(cell.column)}>
            {flexRender(cell.column.columnDef.cell, cell.getContext())}
          </div>
        ))}
      </div>
    );
  },
  (a, b) =>
    a.original === b.original &&
    a.top === b.top &&
    a.active === b.active &&
    a.tone === b.tone &&
    a.columns === b.columns,
);
