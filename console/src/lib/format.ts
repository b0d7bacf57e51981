import type { Priority } from "../api/client";

/** Most severe first. */
export const PRIORITIES: Priority[] = [
  "Emergency",
  "Alert",
  "Critical",
  "Error",
  "Warning",
  "Notice",
  "Informational",
  "Debug",
];

/** Bars of a priority: 5 is critical and worse. */
export function level(priority: Priority): number {
  const at = PRIORITIES.indexOf(priority);
  if (at <= 2) return 5;
  return Math.max(1, 7 - at);
}

/** True when one priority is at least as severe as another. */
export function atLeast(priority: Priority, least: Priority): boolean {
  return PRIORITIES.indexOf(priority) <= PRIORITIES.indexOf(least);
}

const locale = (language: string) => (language.startsWith("zh") ? "zh-CN" : "en-GB");

export function count(value: number, language: string): string {
  return value.toLocaleString(locale(language));
}

/** Events a second. */
export function rate(value: number, language: string): string {
  if (value >= 100) return count(Math.round(value), language);
  return value > 0 && value < 0.05 ? "<0.1" : value.toFixed(1);
}

export function bytes(value: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let at = 0;
  let rest = value;
  while (rest >= 1024 && at < units.length - 1) {
    rest /= 1024;
    at += 1;
  }
  return `${at === 0 ? rest : rest.toFixed(1)} ${units[at] ?? ""}`;
}

/** The local date and time of an RFC 3339 text; `–` for none. */
export function moment(text: string | null | undefined, language: string): string {
  const time = Date.parse(text ?? "");
  if (Number.isNaN(time)) return "–";
  return new Date(time).toLocaleString(locale(language), {
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    hour12: false,
  });
}

/** The local time of day, to the millisecond. */
export function clock(text: string | null): string {
  const time = new Date(text ?? "");
  if (Number.isNaN(time.getTime())) return "–";
  const two = (n: number, width = 2) => String(n).padStart(width, "0");
  return `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}.${two(time.getMilliseconds(), 3)}`;
}

export type Ago = { unit: "now" } | { unit: "s" | "m" | "h" | "d"; n: number } | null;

/** How long before `now` a time was, in the largest whole unit. */
export function ago(text: string | null | undefined, now: number): Ago {
  const time = Date.parse(text ?? "");
  if (Number.isNaN(time)) return null;
  const seconds = Math.max(0, Math.round((now - time) / 1000));
  if (seconds < 2) return { unit: "now" };
  if (seconds < 60) return { unit: "s", n: seconds };
  if (seconds < 3600) return { unit: "m", n: Math.floor(seconds / 60) };
  if (seconds < 86_400) return { unit: "h", n: Math.floor(seconds / 3600) };
  return { unit: "d", n: Math.floor(seconds / 86_400) };
}

export function sum(counts: Record<string, number>): number {
  return Object.values(counts).reduce((total, n) => total + n, 0);
}
