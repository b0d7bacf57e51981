import { useEffect } from "react";
import { create } from "zustand";

/** An event time further off the clock than this is a replay's, and its newest event is "now". */
const REPLAY_MS = 600_000;

interface Clock {
  now: number;
  newest: number;
}

const useClock = create<Clock>()(() => ({ now: Date.now(), newest: Number.NaN }));

const present = (newest: number) =>
  Number.isNaN(newest) || Math.abs(Date.now() - newest) < REPLAY_MS ? Date.now() : newest;

/** Tells the time of the newest event. */
export function heard(generated: string | null | undefined): void {
  const newest = Date.parse(generated ?? "");
  if (!Number.isNaN(newest)) useClock.setState({ newest, now: present(newest) });
}

/** The present, in event time; moves every few seconds. */
export function useNow(): number {
  return useClock((clock) => clock.now);
}

/** Keeps the clock going; once, in the shell. */
export function useTicking(): void {
  useEffect(() => {
    const timer = setInterval(() => {
      if (!document.hidden) useClock.setState((clock) => ({ now: present(clock.newest) }));
    }, 5000);
    return () => clearInterval(timer);
  }, []);
}
