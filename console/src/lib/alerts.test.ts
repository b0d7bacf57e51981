import { expect, test } from "vitest";
import { ALERT } from "../test/alert";
import { type Filter, filterOf, mayMatch } from "./alerts";

test.each<[string, Filter]>([
  ["", { state: "open" }],
  ["state=all&x=1", {}],
  [
    "state=resolved,open&priority=Error&q=a%20b",
    { state: "resolved,open", priority: "Error", q: "a b" },
  ],
  [
    "container_id=web&rule=hbt.new_file",
    { state: "open", container_id: "web", rule: "hbt.new_file" },
  ],
])("the address %j is the filter %j", (query, filter) => {
  expect(filterOf(new URLSearchParams(query))).toEqual(filter);
});

test.each<[Filter, boolean]>([
  [{}, true],
  [{ state: "open" }, true],
  [{ state: "resolved,acknowledged" }, false],
  [{ priority: "Warning" }, true],
  [{ priority: "Emergency" }, false],
  [{ source: "falco" }, false],
  [{ container_id: "web" }, true],
  [{ container_id: "112497b102cdcd83ce9f" }, true],
  [{ container_id: "db" }, false],
  [{ rule: "hbt.new_file" }, false],
  [{ q: "SHELL" }, true],
  [{ q: "nothing" }, false],
  [{ end: "2026-01-01T00:00:00Z" }, false],
])("%j lets it through: %s", (filter, expected) => {
  expect(mayMatch(filter, ALERT)).toBe(expected);
});
