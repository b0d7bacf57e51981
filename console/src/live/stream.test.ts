import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { SILENCE_MS, type Source, Stream, type Told } from "./stream";

class Fake implements Source {
  static all: Fake[] = [];
  onopen: Source["onopen"] = null;
  onmessage: Source["onmessage"] = null;
  onerror: Source["onerror"] = null;
  closed = false;

  constructor(readonly url: string) {
    Fake.all.push(this);
  }
  close() {
    this.closed = true;
  }
  say(envelope: unknown, id = "") {
    const data = typeof envelope === "string" ? envelope : JSON.stringify(envelope);
    this.onmessage?.(new MessageEvent("message", { data, lastEventId: id }));
  }
  fail() {
    this.onerror?.(new Event("error"));
  }
}

const told = { status: vi.fn(), message: vi.fn(), gap: vi.fn() } satisfies Told;
const beat = { type: "heartbeat", ts: "", container: null, payload: {} };
const newest = () => Fake.all.at(-1) as Fake;
const states = () =>
  told.status.mock.calls.map(([status]) => (status as { name: string }).name).join(" ");

beforeEach(() => {
  vi.useFakeTimers({ now: 0 });
  Fake.all = [];
  Object.values(told).forEach((spy) => spy.mockReset());
});
afterEach(() => {
  vi.useRealTimers();
});

function stream() {
  const made = new Stream(told, (url) => new Fake(url));
  made.follow({ type: "alert" });
  return made;
}

test("is live once it is open, and passes alerts and events on", () => {
  stream();
  newest().onopen?.(new Event("open"));
  const alert = { type: "alert", ts: "", container: "a", payload: { id: "1" } };
  const event = { type: "event", ts: "", container: "a", payload: { events: [], skipped: 2 } };
  newest().say(alert, "b-1");
  newest().say(event, "b-2");
  newest().say(beat, "b-2");
  expect(told.message.mock.calls.map(([m]) => m as unknown)).toEqual([alert, event]);
  expect(states()).toMatch(/^connecting live/);
  expect(told.gap).not.toHaveBeenCalled();
});

test("waits 1, 2, 4, … 30 seconds, and from one second again after a message", () => {
  stream();
  const waits: number[] = [];
  for (let i = 0; i < 7; i += 1) {
    const began = Date.now();
    const before = Fake.all.length;
    newest().fail();
    expect(newest().closed).toBe(true);
    while (Fake.all.length === before) vi.advanceTimersByTime(500);
    waits.push((Date.now() - began) / 1000);
  }
  expect(waits).toEqual([1, 2, 4, 8, 16, 30, 30]);
  newest().say(beat, "b-1");
  newest().fail();
  expect(told.status).toHaveBeenLastCalledWith({ name: "reconnecting", at: Date.now() + 1000 });
});

test("silence of 90 seconds is a disconnect, and a heartbeat is no silence", () => {
  stream();
  newest().onopen?.(new Event("open"));
  vi.advanceTimersByTime(SILENCE_MS - 1);
  newest().say(beat, "b-7");
  vi.advanceTimersByTime(SILENCE_MS - 1);
  expect(Fake.all).toHaveLength(1);
  vi.advanceTimersByTime(1);
  expect(told.status).toHaveBeenLastCalledWith({ name: "reconnecting", at: Date.now() + 1000 });
});

test("resumes after the last message, also under another query", () => {
  const made = stream();
  expect(newest().url).toBe("/api/stream?type=alert");
  newest().say(beat, "b-7");
  newest().say({ ...beat, payload: { gap: true } });
  newest().fail();
  vi.advanceTimersByTime(1000);
  expect(newest().url).toBe("/api/stream?type=alert&last_event_id=b-7");
  made.follow({ type: "alert,event", container_id: "web" });
  expect(Fake.all.at(-2)?.closed).toBe(true);
  expect(newest().url).toBe("/api/stream?type=alert%2Cevent&container_id=web&last_event_id=b-7");
  made.follow({ type: "alert,event", container_id: "web" });
  expect(Fake.all).toHaveLength(3);
});

test("tells of gaps, and passes over what is no message", () => {
  stream();
  newest().say({ ...beat, payload: { gap: true } });
  newest().say({ ...beat, payload: { lagged: 12 } });
  for (const nonsense of ["{", "null", "7", '{"type":"other"}']) newest().say(nonsense);
  expect(told.gap.mock.calls).toEqual([[null], [12]]);
  expect(told.message).not.toHaveBeenCalled();
});

test("is quiet after it was closed", () => {
  stream().close();
  vi.advanceTimersByTime(10 * SILENCE_MS);
  expect(Fake.all).toHaveLength(1);
});
