import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { type Alert, answer, api } from "../api/client";
import { type Heat, heat } from "./subtree";

/** Alerts that are asked for, to show where in a tree they are. */
const ALERTS_MAX = 500;
const COLD: Heat = new Map();

/** The tree of a profile, now or as a snapshot has it. */
export function useTree(id: string, at?: string) {
  return useQuery({
    queryKey: ["tree", id, at],
    queryFn: ({ signal }) => {
      const params = { path: { id }, query: at ? { at } : {} };
      return answer(api.GET("/api/hbt/{id}", { params, signal }));
    },
    refetchInterval: at ? false : 30_000,
  });
}

const NO_ALERTS: Alert[] = [];

/** Open alerts by the nodes that they are about. */
export function useHeat(id: string, root: Parameters<typeof heat>[0] | undefined): Heat {
  const asked = useQuery({
    queryKey: ["alerts", "of-tree", id],
    queryFn: ({ signal }) => {
      const query = { container_id: id, state: "open", limit: ALERTS_MAX } as object;
      return answer(api.GET("/api/alerts", { params: { query }, signal }));
    },
    retry: false,
  });
  const alerts = asked.data?.alerts ?? NO_ALERTS;
  return useMemo(() => (root ? heat(root, alerts) : COLD), [root, alerts]);
}
