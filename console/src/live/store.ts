import { create } from "zustand";
import type { Alert, LogRow } from "../api/client";
import { type Status, Stream } from "./stream";

interface Live {
  status: Status;
  /** Messages are missing since then: so many, or an unknown number. */
  gap: { lagged: number | null; at: number } | null;
  /** When the last message came, by this clock; 0 before the first. */
  heard: number;
  forget: () => void;
}

export const useLive = create<Live>()((set) => ({
  status: { name: "connecting" },
  gap: null,
  heard: 0,
  forget: () => set({ gap: null }),
}));

type Listener<T> = (value: T) => void;

function topic<T>() {
  const listeners = new Set<Listener<T>>();
  return {
    tell: (value: T) => listeners.forEach((listener) => listener(value)),
    listen: (listener: Listener<T>) => {
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
      };
    },
  };
}

/** Alerts as they change. */
export const alerts = topic<Alert>();
/** Events as they come, and how many more there were. */
export const events = topic<{ events: LogRow[]; skipped: number }>();
/** Something is missing: ask for the present state again. */
export const gaps = topic<null>();

/** What the stream follows unless a page wants more. */
export const ALERTS_ONLY = { type: "alert" };

export const stream = new Stream({
  status: (status) => {
    useLive.setState(status.name === "live" ? { status, heard: Date.now() } : { status });
  },
  message: (envelope) => {
    if (envelope.type === "alert") alerts.tell(envelope.payload);
    if (envelope.type === "event") events.tell(envelope.payload);
  },
  gap: (lagged) => {
    useLive.setState({ gap: { lagged, at: Date.now() } });
    gaps.tell(null);
  },
});
