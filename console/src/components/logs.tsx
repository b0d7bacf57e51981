import { createColumnHelper, type ColumnDef } from "@tanstack/react-table";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";
import { useTranslation } from "react-i18next";
import { type LogRow, type Priority, type Schema, answer, api } from "../api/client";
import { atLeast, clock, count, moment } from "../lib/format";
import { useKeys } from "../lib/keys";
import { Ring } from "../lib/ring";
import { useSearch } from "../lib/search";
import { SHOWN_WHOLE, shown } from "../lib/untrusted";
import { ALERTS_ONLY, events, gaps, stream } from "../live/store";
import { Choice, Exports, PrioritySelect, SearchBox } from "./filters";
import { Failed, Nothing, Raw, Severity } from "./bits";
import { Grid, type GridHandle } from "./grid";
import { States } from "./states";
import { Views } from "./views";

/** Rows kept in the tab: some 60 MiB with the short events of `npm run measure`. */
const KEPT = 100_000;
/** Rows asked for at first. */
const PAGE = 500;
/** Rows asked for on the way back: the most that the service gives at a time. */
const OLDER_PAGE = 1000;
const ROW = 26;
const CATEGORIES = ["process", "network", "file"] as const;
const column = createColumnHelper<Numbered>();

interface Numbered {
  number: number;
  row: LogRow;
}

interface Filter {
  priority?: Priority;
  category?: (typeof CATEGORIES)[number];
  q?: string;
  start?: string;
  end?: string;
}

/** What a live row must be to stand in a filtered list; the service searches the same fields. */
export function fits(filter: Filter, row: LogRow): boolean {
  const words = filter.q?.toLowerCase();
  const texts = [row.rule, row.call, row.process, row.command_line, row.object];
  return (
    (!filter.priority || atLeast(row.priority, filter.priority)) &&
    (!filter.category || row.category === filter.category) &&
    (!words || texts.some((text) => text.toLowerCase().includes(words)))
  );
}

/** A container's events: those before, and what comes. */
export function Logs({ id }: { id: string }) {
  const { get } = useSearch();
  const text = wanted(get);
  const filter = useMemo(() => JSON.parse(text) as Filter, [text]);
  // Another filter is another list: its rows begin anew.
  return <List key={`${id} ${text}`} id={id} filter={filter} />;
}

function wanted(get: (name: string) => string): string {
  const values: Record<string, string> = {};
  for (const name of ["priority", "category", "q", "start", "end"])
    if (get(name)) values[name] = get(name);
  return JSON.stringify(values);
}

function useRows(id: string, filter: Filter) {
  const [ring] = useState(() => new Ring<Numbered>(KEPT));
  const [skipped, setSkipped] = useState(0);
  const asked = useQuery({
    queryKey: ["logs", id, filter],
    queryFn: ({ signal }) => {
      const params = { path: { id }, query: { ...filter, limit: PAGE } };
      return answer(api.GET("/api/containers/{id}/logs", { params, signal }));
    },
    staleTime: Infinity,
    gcTime: 0,
    refetchOnWindowFocus: false,
  });
  const waiting = useRef<LogRow[] | null>([]);
  const put = useCallback(
    (rows: LogRow[]) => ring.push(rows.map((row, i) => ({ number: ring.total + i, row }))),
    [ring],
  );
  const older = useOlder(id, filter, ring, asked.data);
  useEffect(() => {
    if (!asked.data || !waiting.current) return;
    const shown = ring.at(ring.length - 1)?.row.time ?? "";
    const before = asked.data.events.filter((row) => (row.time ?? "") > shown).reverse();
    const newest = before.at(-1)?.time ?? shown;
    // What came while the page was asked for may be in it already.
    put([...before, ...waiting.current.filter((row) => (row.time ?? "") > newest)]);
    waiting.current = null;
  }, [asked.data, put, ring]);
  useEffect(
    () =>
      gaps.listen(() => {
        // The shell asks for everything anew; until it is there, what comes waits.
        waiting.current ??= [];
      }),
    [],
  );
  const live = !filter.end;
  useEffect(() => {
    if (!live) return;
    stream.follow({ type: "alert,event", container_id: id });
    const leave = events.listen((batch) => {
      const rows = batch.events.filter((row) => fits(filter, row));
      if (batch.skipped > 0) setSkipped((n) => n + batch.skipped);
      if (waiting.current) waiting.current.push(...rows);
      else put(rows);
    });
    return () => {
      leave();
      stream.follow(ALERTS_ONLY);
    };
  }, [id, filter, live, put]);
  return { ring, asked, skipped, older };
}

type Page = Schema["Logs"];

/** The way back past the newest rows, a page at a time, as far as rows are kept. */
function useOlder(id: string, filter: Filter, ring: Ring<Numbered>, first: Page | undefined) {
  const [last, setLast] = useState<Page | null>(null);
  const page = last ?? first;
  const ask = useMutation({
    mutationFn: (cursor: string) => {
      const params = { path: { id }, query: { ...filter, limit: OLDER_PAGE, cursor } };
      return answer(api.GET("/api/containers/{id}/logs", { params }));
    },
    onSuccess: (got) => {
      ring.putBefore(got.events.map((row, i) => ({ number: ring.first - 1 - i, row })));
      setLast(got);
    },
  });
  const cursor = ring.full ? null : (page?.next_cursor ?? null);
  return {
    /** There may be more. */
    more: cursor !== null,
    asking: ask.isPending,
    error: ask.error,
    scanned: page?.scanned_until,
    get: () => {
      if (cursor !== null && !ask.isPending) ask.mutate(cursor);
    },
  };
}

function List({ id, filter }: { id: string; filter: Filter }) {
  const { t, i18n } = useTranslation();
  const { set } = useSearch();
  const { ring, asked, skipped, older } = useRows(id, filter);
  const version = useSyncExternalStore(ring.subscribe, ring.version);
  const [following, setFollowing] = useState(true);
  const [seen, setSeen] = useState(0);
  const [chosen, setChosen] = useState<Numbered | null>(null);
  const handle = useRef<GridHandle>(null);
  const first = useRef(0);
  useEffect(() => {
    const gone = ring.first - first.current;
    first.current = ring.first;
    if (following) handle.current?.toEnd();
    else if (gone !== 0) handle.current?.shift(gone);
  }, [version, following, ring]);
  const follow = (on: boolean) => {
    setFollowing(on);
    setSeen(ring.total);
  };
  useKeys({
    f: () => follow(!following),
    Escape: () => setChosen(null),
    "/": () => document.getElementById("search")?.focus(),
  });
  const columns = useColumns();
  const back = () => {
    follow(false);
    older.get();
  };
  const number = (n: number) => count(n, i18n.language);
  return (
    <section className="logs" aria-label={t("container.logs")}>
      <div className="filters">
        <button
          type="button"
          className="button"
          aria-pressed={following}
          title="f"
          onClick={() => follow(!following)}
        >
          {t(following ? "logs.pause" : "logs.follow")}
        </button>
        <PrioritySelect />
        <Choice
          name="category"
          label={t("filter.category")}
          values={CATEGORIES}
          word={(category) => t(`category.${category}`)}
        />
        <SearchBox label={t("logs.search")} />
        <Exports path="/api/export/logs" values={{ ...filter, container_id: id }} />
        <Views />
        {(filter.start ?? filter.end) && (
          <button type="button" className="chip" onClick={() => set({ start: null, end: null })}>
            {t("logs.period", {
              start: moment(filter.start, i18n.language),
              end: moment(filter.end, i18n.language),
            })}{" "}
            ×
          </button>
        )}
      </div>
      <States
        asked={asked}
        count={ring.length}
        empty={
          <Nothing title={t("logs.none")}>
            <p>{t("logs.noneText")}</p>
          </Nothing>
        }
      >
        <div className="grid-box">
          <Grid
            label={t("container.logs")}
            columns={columns}
            count={ring.length}
            at={(index) => ring.at(index)}
            id={(row) => String(row.number)}
            height={ROW}
            version={version}
            active={chosen ? String(chosen.number) : undefined}
            handle={handle}
            tone={(one) => (one.row.deviation ? "deviates" : "")}
            onOpen={(one) => {
              follow(false);
              setChosen(one);
            }}
            onStart={following || older.asking || !older.more ? undefined : older.get}
            onScroll={(nearEnd) => {
              // Who scrolls up reads; what comes must not move it away.
              if (!nearEnd && following && document.querySelector(".logs .grid:hover"))
                follow(false);
            }}
          />
        </div>
      </States>
      <div className="list-bar muted">
        {ring.length > 0 && t("logs.kept", { n: number(ring.length), most: number(KEPT) })}{" "}
        {skipped > 0 && t("logs.skipped", { n: number(skipped) })}{" "}
        {older.scanned && t("logs.searched", { time: moment(older.scanned, i18n.language) })}
        {older.more && (
          <button type="button" className="button" disabled={older.asking} onClick={back}>
            {t("logs.older")}
          </button>
        )}
        {older.error && <Failed error={older.error} retry={older.get} />}
        {!following && ring.total > seen && (
          <button type="button" className="pill" onClick={() => follow(true)}>
            {t("logs.newBelow", { n: number(ring.total - seen) })}
          </button>
        )}
      </div>
      {chosen && <Event row={chosen.row} close={() => setChosen(null)} />}
    </section>
  );
}

function Event({ row, close }: { row: LogRow; close: () => void }) {
  const { t } = useTranslation();
  const { set } = useSearch();
  return (
    <section className="card event" aria-label={t("logs.row")}>
      <div className="filters">
        <b>
          <Raw value={row.command_line || row.process} most={300} />
        </b>
        <button
          type="button"
          className="button aside"
          onClick={() => set({ node: row.process, tree: null })}
        >
          {t("detail.tree")}
        </button>
        <button type="button" className="button" onClick={close}>
          {t("close")}
        </button>
      </div>
      {row.raw ? (
        <pre tabIndex={0} aria-label={t("logs.raw")}>
          {shown(JSON.stringify(row.raw, null, 2), SHOWN_WHOLE, true)}
        </pre>
      ) : (
        <p className="muted">{t("logs.noRaw")}</p>
      )}
    </section>
  );
}

function useColumns(): ColumnDef<Numbered>[] {
  const { t } = useTranslation();
  return useMemo(
    () =>
      [
        column.accessor((one) => one.row.time, {
          id: "time",
          header: () => t("logs.time"),
          cell: (cell) => (
            <time className="mono" dateTime={cell.getValue() ?? ""} title={cell.getValue() ?? ""}>
              {clock(cell.getValue())}
            </time>
          ),
          meta: { track: "96px" },
        }),
        column.accessor((one) => one.row.priority, {
          id: "priority",
          header: () => <span className="sr-only">{t("priority.label")}</span>,
          cell: (cell) => <Severity priority={cell.getValue()} bare />,
          meta: { track: "20px", wide: true },
        }),
        column.accessor((one) => one.row.call, {
          id: "call",
          header: () => t("logs.call"),
          cell: (cell) => <Raw value={cell.getValue()} most={40} />,
          meta: { track: "92px", wide: true },
        }),
        column.accessor((one) => one.row.process, {
          id: "process",
          header: () => t("logs.process"),
          cell: (cell) => <Raw value={cell.getValue()} most={80} />,
          meta: { track: "minmax(60px, 130px)" },
        }),
        column.display({
          id: "object",
          header: () => t("logs.object"),
          cell: ({ row: { original: one } }) => (
            <>
              {one.row.deviation && <span className="tag bad">{t("logs.unknown")}</span>}{" "}
              <Raw value={one.row.object || one.row.command_line} most={300} />
              {one.row.count > 1 && (
                <span className="muted"> {t("times", { n: one.row.count })}</span>
              )}
            </>
          ),
          meta: { track: "minmax(0, 1fr)" },
        }),
        column.accessor((one) => one.row.outcome, {
          id: "outcome",
          header: () => t("logs.outcome"),
          cell: (cell) => <Raw value={cell.getValue()} most={30} />,
          meta: { track: "76px", wide: true },
        }),
      ] as ColumnDef<Numbered>[],
    [t],
  );
}
