import { expect, test } from "vitest";
import { ago, atLeast, bytes, level, moment, rate } from "./format";

test.each([
  ["2026-01-01T00:00:00Z", { unit: "now" }],
  ["2025-12-31T23:59:30Z", { unit: "s", n: 31 }],
  ["2025-12-31T23:01:00Z", { unit: "m", n: 59 }],
  ["2025-12-31T00:00:00Z", { unit: "d", n: 1 }],
  ["2027-01-01T00:00:00Z", { unit: "now" }],
  [null, null],
  ["nonsense", null],
])("%s ago", (text, expected) => {
  expect(ago(text, Date.parse("2026-01-01T00:00:01Z"))).toEqual(expected);
});

test.each([
  ["Emergency", 5],
  ["Critical", 5],
  ["Error", 4],
  ["Warning", 3],
  ["Notice", 2],
  ["Informational", 1],
  ["Debug", 1],
] as const)("%s has %i bars", (priority, bars) => {
  expect(level(priority)).toBe(bars);
});

test("figures", () => {
  expect(atLeast("Error", "Warning")).toBe(true);
  expect(atLeast("Notice", "Warning")).toBe(false);
  expect([0, 0.01, 7.25, 12_345.6].map((n) => rate(n, "en"))).toEqual([
    "0.0",
    "<0.1",
    "7.3",
    "12,346",
  ]);
  expect([12, 2048, 5 * 1024 ** 3].map(bytes)).toEqual(["12 B", "2.0 KiB", "5.0 GiB"]);
  expect(moment("", "en")).toBe("–");
});
