import { expect, test } from "vitest";
import en from "./en.json";
import zh from "./zh.json";

function leaves(words: object, path = ""): [string, string][] {
  return Object.entries(words).flatMap(([key, value]: [string, unknown]) =>
    typeof value === "object" && value !== null
      ? leaves(value, `${path}${key}.`)
      : [[path + key, String(value)] as [string, string]],
  );
}

const [english, chinese] = [leaves(en), leaves(zh)];
const placeholders = (text: string) => [...text.matchAll(/\{\{(\w+)\}\}/g)].map((m) => m[1]).sort();

test("both languages have the same keys, with the same places for values", () => {
  const shape = (words: [string, string][]) =>
    words.map(([key, text]) => [key, placeholders(text)]);
  expect(shape(chinese)).toEqual(shape(english));
});

test("no text is empty", () => {
  for (const [key, text] of [...english, ...chinese]) expect(text.trim(), key).not.toBe("");
});

test("every text is used", () => {
  const files: Record<string, string> = import.meta.glob("../**/*.{ts,tsx}", {
    query: "?raw",
    import: "default",
    eager: true,
  });
  const code = Object.entries(files)
    .filter(([name]) => !name.includes(".test."))
    .map(([, text]) => text)
    .join("\n");
  const unused = english
    .map(([key]) => key.replace(/_(one|other)$/, ""))
    // Closed sets are looked up by their words: t(`state.${state}`).
    .filter(
      (key) => !code.includes(`"${key}"`) && !code.includes(`\`${key.split(".")[0] ?? ""}.$`),
    );
  expect(unused).toEqual([]);
});
