import { useEffect, useRef } from "react";

/** What single keys do; modifiers, text fields and open dialogs are left alone. */
export function useKeys(keys: Record<string, () => void>): void {
  const newest = useRef(keys);
  useEffect(() => {
    newest.current = keys;
  });
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
      const target = event.target instanceof HTMLElement ? event.target : null;
      const types = target?.closest("input, textarea, select, [contenteditable]");
      if (types || document.querySelector("dialog[open]")) return;
      // A button does its own thing with these.
      if (target?.closest("button, a, summary") && (event.key === "Enter" || event.key === " "))
        return;
      const act = newest.current[event.key];
      if (!act) return;
      event.preventDefault();
      act();
    };
    window.addEventListener("keydown", pressed);
    return () => window.removeEventListener("keydown", pressed);
  }, []);
}
