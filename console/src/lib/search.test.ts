import { expect, test } from "vitest";
import { changed, link } from "./search";

test.each([
  ["", { state: "open" }, "state=open"],
  ["state=open&q=a", { state: null }, "q=a"],
  ["q=a", { q: "" }, ""],
  ["q=a", { q: "a b&c" }, "q=a+b%26c"],
])("%j with %j is %j", (query, changes, expected) => {
  expect(changed(new URLSearchParams(query), changes).toString()).toBe(expected);
});

test("links leave out what is not given", () => {
  expect(link("/alerts", { q: "", state: null, rule: undefined })).toBe("/alerts");
  expect(link("/alerts", { container: "a/b" })).toBe("/alerts?container=a%2Fb");
});
