import {
  type InfiniteData,
  useInfiniteQuery,
  useMutation,
  useQuery,
  useQueryClient,
} from "@tanstack/react-query";
import { useEffect } from "react";
import {
  type Alert,
  type AlertState,
  type Priority,
  type Schema,
  answer,
  api,
} from "../api/client";
import { alerts } from "../live/store";
import { atLeast } from "./format";

/** The filters of a list, as the address and the API have them. */
export interface Filter {
  container_id?: string;
  start?: string;
  end?: string;
  priority?: Priority;
  /** Several with commas. */
  state?: string;
  source?: "hanabi" | "falco";
  kind?: string;
  rule?: string;
  q?: string;
}

/** The address's word for all states; without any it is the open ones. */
export const ANY_STATE = "all";

/** Names that stand in the address; `state` has a default, the others are absent without one. */
export const NAMES = [
  "container_id",
  "start",
  "end",
  "priority",
  "source",
  "kind",
  "rule",
  "q",
] as const;

export function filterOf(query: URLSearchParams): Filter {
  const filter: Record<string, string> = {};
  for (const name of NAMES) {
    const value = query.get(name);
    if (value) filter[name] = value;
  }
  const state = query.get("state") ?? "open";
  if (state !== ANY_STATE) filter.state = state;
  return filter;
}

/** Whether an alert that comes live may belong to a list; the service has the last word. */
export function mayMatch(filter: Filter, alert: Alert): boolean {
  const is = (wanted: string | undefined, value: string) => !wanted || wanted === value;
  const name = filter.container_id;
  const texts = [
    alert.rule,
    alert.summary.en,
    alert.summary.zh,
    alert.path.raw,
    alert.container.name,
  ];
  return (
    (!filter.state || filter.state.split(",").includes(alert.state)) &&
    (!filter.priority || atLeast(alert.priority, filter.priority)) &&
    is(filter.source, alert.source) &&
    is(filter.kind, alert.kind) &&
    is(filter.rule, alert.rule) &&
    (!filter.end || (alert.first_seen ?? "") < filter.end) &&
    (!name ||
      [alert.identity, ...alert.containers.flatMap((c) => [c.id, c.name])].some(
        (one) => one === name || (one !== "" && name.startsWith(one)),
      )) &&
    (!filter.q || texts.some((text) => text.toLowerCase().includes(filter.q?.toLowerCase() ?? "")))
  );
}

type Page = Schema["Alerts"];

/** Alerts of a list, page by page; the first has the numbers. */
export function useAlerts(filter: Filter) {
  return useInfiniteQuery({
    queryKey: ["alerts", filter],
    initialPageParam: "",
    queryFn: ({ pageParam, signal }) =>
      answer(
        api.GET("/api/alerts", {
          params: {
            query: {
              ...filter,
              limit: 200,
              ...(pageParam ? { cursor: pageParam } : { stats: true }),
            },
          },
          signal,
        }),
      ),
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    // While the page is open the stream tells what changes; what was missed before it is asked for.
    refetchOnMount: "always",
    refetchOnWindowFocus: false,
    staleTime: Infinity,
  });
}

export function useAlert(id: string) {
  return useQuery({
    queryKey: ["alert", id],
    queryFn: ({ signal }) =>
      answer(api.GET("/api/alerts/{id}", { params: { path: { id } }, signal })),
    enabled: id !== "",
  });
}

/** Puts the newest state of an alert wherever it is shown, without moving anything. */
export function usePatch() {
  const client = useQueryClient();
  return (alert: Alert) => {
    client.setQueryData(["alert", alert.id], (old: Alert | undefined) => old && alert);
    client.setQueriesData<InfiniteData<Page>>({ queryKey: ["alerts"] }, (data) => {
      const has = data?.pages.some((page) => page.alerts.some((one) => one.id === alert.id));
      if (!data || !has) return data;
      const patched = (page: Page) => ({
        ...page,
        alerts: page.alerts.map((one) => (one.id === alert.id ? alert : one)),
      });
      return { ...data, pages: data.pages.map(patched) };
    });
  };
}

/** Keeps what is shown of alerts as the stream tells it. */
export function useLivePatches(): void {
  const patch = usePatch();
  useEffect(() => alerts.listen(patch));
}

export type Act =
  | { action: "ack" | "resolve" | "reopen" | "note"; text?: string }
  | { action: "assign"; to: string }
  | { action: "suppress"; scope: Schema["SuppressionScope"]; expires_in?: number; text?: string }
  | { action: "promote"; path: "literal" | "generalised" }
  | { action: "undo" };

/** One action on one alert; a dry run answers what it would come to. */
export function act(id: string, what: Act, dry_run = false) {
  const { action, ...body } = what;
  const params = { path: { id }, query: { dry_run } };
  return answer(api.POST(`/api/alerts/{id}/${action}` as "/api/alerts/{id}/ack", { params, body }));
}

export function useAct() {
  const client = useQueryClient();
  const patch = usePatch();
  return useMutation({
    mutationFn: ({ id, what }: { id: string; what: Act }) => act(id, what),
    onSuccess: (done, { what }) => {
      if (done.alert) patch(done.alert);
      void client.invalidateQueries({ queryKey: ["overview"] });
      // These change other alerts, too.
      const wide = ["suppress", "promote", "undo"].includes(what.action);
      if (wide) void client.invalidateQueries({ queryKey: ["alerts"] });
    },
  });
}

export const STATES: AlertState[] = ["open", "acknowledged", "suppressed", "promoted", "resolved"];
