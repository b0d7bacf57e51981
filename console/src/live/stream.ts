import type { Alert, LogRow } from "../api/client";

/** A silence this long is a disconnect: three heartbeats. */
export const SILENCE_MS = 90_000;
/** The longest wait before the next try. */
const BACKOFF_MAX_S = 30;

export type Envelope =
  | {
      type: "event";
      ts: string;
      container: string;
      payload: { events: LogRow[]; skipped: number };
    }
  | { type: "alert"; ts: string; container: string; payload: Alert }
  | {
      type: "heartbeat";
      ts: string;
      container: null;
      payload: { lagged?: number; gap?: boolean };
    };

export type Status =
  { name: "connecting" } | { name: "live" } | { name: "reconnecting"; at: number };

/** What is used of `EventSource`. */
export interface Source {
  onopen: ((event: Event) => void) | null;
  onmessage: ((event: MessageEvent<string>) => void) | null;
  onerror: ((event: Event) => void) | null;
  close(): void;
}

export interface Told {
  status(status: Status): void;
  message(envelope: Envelope): void;
  /** Messages are missing: so many, or an unknown number (`null`). */
  gap(lagged: number | null): void;
}

/**
 * The one stream of a tab. The browser's own coming back is not used: it neither notices silence nor
 * waits longer each time.
 */
export class Stream {
  private source: Source | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private failures = 0;
  private lastId = "";
  private query = "";

  constructor(
    private readonly told: Told,
    private readonly connect: (url: string) => Source = (url) => new EventSource(url),
  ) {}

  /** Follows what a query asks for, from where the stream is. */
  follow(query: Record<string, string>): void {
    const text = new URLSearchParams(query).toString();
    if (text === this.query && this.source) return;
    this.query = text;
    this.failures = 0;
    this.open();
  }

  /** Tries again now rather than when the wait is over. */
  retry(): void {
    this.open();
  }

  close(): void {
    clearTimeout(this.timer);
    this.source?.close();
    this.source = null;
  }

  private open(): void {
    this.close();
    this.told.status({ name: "connecting" });
    const query = new URLSearchParams(this.query);
    // A new `EventSource` sends no Last-Event-ID.
    if (this.lastId) query.set("last_event_id", this.lastId);
    const source = this.connect(`/api/stream?${query.toString()}`);
    this.source = source;
    source.onopen = () => this.heard();
    source.onmessage = (event) => {
      if (event.lastEventId) this.lastId = event.lastEventId;
      this.failures = 0;
      this.heard();
      const envelope = read(event.data);
      if (envelope) this.pass(envelope);
    };
    source.onerror = () => this.lost();
    this.watch();
  }

  private heard(): void {
    this.told.status({ name: "live" });
    this.watch();
  }

  private watch(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.lost(), SILENCE_MS);
  }

  private lost(): void {
    this.close();
    const seconds = Math.min(2 ** this.failures, BACKOFF_MAX_S);
    this.failures += 1;
    this.told.status({ name: "reconnecting", at: Date.now() + seconds * 1000 });
    this.timer = setTimeout(() => this.open(), seconds * 1000);
  }

  private pass(envelope: Envelope): void {
    if (envelope.type === "heartbeat") {
      if (envelope.payload.gap) this.told.gap(null);
      if (envelope.payload.lagged) this.told.gap(envelope.payload.lagged);
      return;
    }
    this.told.message(envelope);
  }
}

/** A message, or nothing where it is none: what cannot be read is passed over. */
function read(data: string): Envelope | null {
  try {
    const envelope = JSON.parse(data) as Envelope | null;
    const known = ["event", "alert", "heartbeat"];
    return envelope && known.includes(envelope.type) ? envelope : null;
  } catch {
    return null;
  }
}
