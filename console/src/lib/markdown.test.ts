import { expect, test } from "vitest";
import { blocks, words } from "./markdown";

const plain = (line: string) =>
  words(line)
    .map((word) => (word.code ? `[${word.text}]` : word.text))
    .join("|");

test.each([
  ["no value", "no value"],
  ["a `b` c", "a |[b]| c"],
  // The fence is longer than any run of backticks inside it.
  ["``a ` b``", "[a ` b]"],
  ["`` `a ``", "[`a]"],
  ["`**not bold** <b>[x](y)</b>`", "[**not bold** <b>[x](y)</b>]"],
  ["an ` alone", "an ` alone"],
])("%j is %j", (line, expected) => {
  expect(plain(line)).toBe(expected);
});

test("a report becomes headings, lists and tables", () => {
  const text = [
    "# Report",
    "",
    "a period",
    "",
    "- one",
    "- two `x`",
    "",
    "- another list",
    "",
    "| What | Count |",
    "| --- | ---: |",
    "| `a¦b` | 4 |",
    "### Critical · `web`",
  ].join("\n");
  expect(blocks(text).map((block) => block.kind)).toEqual([
    "heading",
    "paragraph",
    "list",
    "list",
    "table",
    "heading",
  ]);
  const table = blocks(text)[4];
  expect(table).toEqual({
    kind: "table",
    head: [[{ text: "What", code: false }], [{ text: "Count", code: false }]],
    rows: [[[{ text: "a¦b", code: true }], [{ text: "4", code: false }]]],
  });
});

test("markup of others is text", () => {
  expect(blocks("<script>alert(1)</script>")).toEqual([
    { kind: "paragraph", words: [{ text: "<script>alert(1)</script>", code: false }] },
  ]);
});
