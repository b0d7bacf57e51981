import { useQuery } from "@tanstack/react-query";
import { answer, api } from "../api/client";

/** Dashboards of a Grafana that are configured; none unless somebody has named them. */
export function useDashboards() {
  return useQuery({
    queryKey: ["dashboards"],
    queryFn: ({ signal }) => answer(api.GET("/api/dashboards", { signal })),
    // Only a restart of the service changes it.
    staleTime: Infinity,
    refetchOnWindowFocus: false,
  });
}
