import { create } from "zustand";
import { remember, remembered } from "../i18n";

/** A page with its filters, under a name. */
export interface View {
  name: string;
  /** The path and query. */
  to: string;
}

const KEY = "hanabi.views";
/** Views of one browser: more are a list nobody reads, and storage is small. */
export const VIEWS_MAX = 50;
/** Characters of a name. */
export const NAME_MAX = 60;
/** Words of an address that are no filters: what is open, and where in a list one is. */
const PASSING = ["id", "node"];

/** Views as they were kept; what is none is passed over. */
export function read(text: string | null): View[] {
  try {
    const kept = JSON.parse(text ?? "[]") as unknown;
    if (!Array.isArray(kept)) return [];
    return (kept as Partial<View>[])
      .filter(
        (one): one is View =>
          typeof one.name === "string" &&
          typeof one.to === "string" &&
          // A path of this console: what somebody else has put there must not lead away.
          /^\/(?!\/)/.test(one.to),
      )
      .slice(0, VIEWS_MAX);
  } catch {
    return [];
  }
}

/** The address of a view: the filters without what passes. */
export function target(path: string, query: URLSearchParams): string {
  const kept = new URLSearchParams(query);
  PASSING.forEach((name) => kept.delete(name));
  const text = kept.toString();
  return text ? `${path}?${text}` : path;
}

interface Views {
  views: View[];
  /** Puts a view in; one of the same name and page is replaced. False where there is no room. */
  save: (view: View) => boolean;
  drop: (view: View) => void;
}

const page = (view: View) => view.to.split("?")[0];

export const useViews = create<Views>()((set, get) => {
  const keep = (views: View[]) => {
    remember(KEY, JSON.stringify(views));
    set({ views });
  };
  return {
    views: read(remembered(KEY)),
    save: (view) => {
      const others = get().views.filter(
        (one) => one.name !== view.name || page(one) !== page(view),
      );
      if (others.length >= VIEWS_MAX) return false;
      keep([...others, view].sort((a, b) => a.name.localeCompare(b.name)));
      return true;
    },
    drop: (view) => keep(get().views.filter((one) => one !== view)),
  };
});
