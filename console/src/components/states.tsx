import type { ReactNode } from "react";
import { Failed, Loading } from "./bits";

/** What a list needs to know of the question behind it. */
export interface Asked {
  isPending: boolean;
  isError: boolean;
  error: unknown;
  refetch: () => unknown;
}

interface StatesProps {
  asked: Asked;
  /** Rows that there are. */
  count: number;
  /** Shown where a good answer has none. */
  empty: ReactNode;
  lines?: number;
  children: ReactNode;
}

/** A list in each of its states; rows that are known stay when asking anew fails. */
export function States({ asked, count, empty, lines = 10, children }: StatesProps) {
  return (
    <>
      {asked.isPending && <Loading lines={lines} />}
      {asked.isError && <Failed error={asked.error} retry={() => void asked.refetch()} />}
      {!asked.isPending && !asked.isError && count === 0 && empty}
      {count > 0 && children}
    </>
  );
}
