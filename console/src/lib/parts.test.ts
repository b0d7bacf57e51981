import { expect, test } from "vitest";
import { parts } from "./parts";

const marked = (text: string, other: string) =>
  parts(text, other)
    .map((piece) => (piece.differs ? `[${piece.text}]` : piece.text))
    .join("");

test.each([
  ["/etc/shadow", "/etc/passwd", "/etc/[shadow]"],
  ["10.0.0.9:4444", "10.0.0.2:5432", "10.0.0.[9]:[4444]"],
  ["same", "same", "same"],
  ["", "x", ""],
  ["sh -c id", "", "[sh -c id]"],
  ["a b c", "b", "[a ]b[ c]"],
  ["/usr/bin/php8.3", "/usr/bin/php8.2", "/usr/bin/php8.[3]"],
])("%s beside %s", (text, other, expected) => {
  expect(marked(text, other)).toBe(expected);
});

test("long texts are not compared word by word", () => {
  const long = "a ".repeat(10_000);
  expect(parts(long, "a")).toEqual([{ text: long, differs: true }]);
});
