import { useCallback } from "react";
import { useSearchParams } from "react-router";

export type Changes = Record<string, string | null>;

/** A query with changes put in; empty values leave it. */
export function changed(query: URLSearchParams, changes: Changes): URLSearchParams {
  const next = new URLSearchParams(query);
  for (const [name, value] of Object.entries(changes)) {
    if (value) next.set(name, value);
    else next.delete(name);
  }
  return next;
}

/** The page's state, which is its address: a copied link shows the same. */
export function useSearch() {
  const [query, setQuery] = useSearchParams();
  const set = useCallback(
    (changes: Changes, replace = false) => {
      setQuery((query) => changed(query, changes), { replace });
    },
    [setQuery],
  );
  return { query, get: (name: string) => query.get(name) ?? "", set };
}

/** A path with a query of the values that there are. */
export function link(path: string, values: Record<string, string | null | undefined>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) if (value) query.set(name, value);
  const text = query.toString();
  return text ? `${path}?${text}` : path;
}
