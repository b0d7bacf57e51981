import { beforeEach, expect, test } from "vitest";
import { VIEWS_MAX, read, target, useViews } from "./views";

beforeEach(() => useViews.setState({ views: [] }));

test.each([
  [null, 0],
  ["{", 0],
  ['{"name":"a"}', 0],
  ['[{"name":"a","to":"/alerts?state=all"}]', 1],
  ['[{"name":"a"},{"to":"/x"},{"name":1,"to":"/x"}]', 0],
  // What somebody has put there must not lead away.
  [
    '[{"name":"a","to":"//evil.example"},{"name":"b","to":"https://evil.example"},{"name":"c","to":"javascript:1"}]',
    0,
  ],
])("what was kept as %s are %i views", (text, n) => {
  expect(read(text)).toHaveLength(n);
});

test("a view is the filters, and not what is open", () => {
  expect(target("/alerts", new URLSearchParams("state=all&q=a b&id=a1"))).toBe(
    "/alerts?state=all&q=a+b",
  );
  expect(target("/alerts", new URLSearchParams("id=a1"))).toBe("/alerts");
});

test("views are kept in the browser, and replaced by name and page", () => {
  const { save, drop } = useViews.getState();
  expect(save({ name: "mine", to: "/alerts?q=1" })).toBe(true);
  save({ name: "mine", to: "/containers?q=1" });
  save({ name: "mine", to: "/alerts?q=2" });
  const { views } = useViews.getState();
  expect(views.map((one) => one.to).sort()).toEqual(["/alerts?q=2", "/containers?q=1"]);
  expect(read(localStorage.getItem("hanabi.views"))).toEqual(views);
  const [first] = views;
  if (first) drop(first);
  expect(useViews.getState().views).toHaveLength(1);
});

test("there is room for so many, and a full list still replaces", () => {
  const { save } = useViews.getState();
  for (let i = 0; i < VIEWS_MAX; i += 1) expect(save({ name: `v${i}`, to: "/alerts" })).toBe(true);
  expect(save({ name: "more", to: "/alerts" })).toBe(false);
  expect(save({ name: "v1", to: "/alerts?q=1" })).toBe(true);
  expect(useViews.getState().views).toHaveLength(VIEWS_MAX);
});
