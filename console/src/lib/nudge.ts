import { useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";

/** Asks anew for what begins with a key when told so, a storm of words once in `ms`. */
export function useNudged(
  listen: (nudge: () => void) => () => void,
  key: string,
  ms: number,
): void {
  const client = useQueryClient();
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const leave = listen(() => {
      timer ??= setTimeout(() => {
        timer = undefined;
        void client.invalidateQueries({ queryKey: [key] });
      }, ms);
    });
    return () => {
      leave();
      clearTimeout(timer);
    };
  }, [client, listen, key, ms]);
}
