import { expect, test, vi } from "vitest";
import { Ring } from "./ring";

test("keeps the newest rows, oldest first", () => {
  const ring = new Ring<number>(3);
  expect([ring.length, ring.at(0)]).toEqual([0, undefined]);
  ring.push([1, 2]);
  expect([ring.first, ring.length, ring.at(0), ring.at(1), ring.at(2)]).toEqual([
    0,
    2,
    1,
    2,
    undefined,
  ]);
  ring.push([3, 4, 5]);
  expect([ring.first, ring.length, ring.total]).toEqual([2, 3, 5]);
  expect([0, 1, 2, 3, -1].map((i) => ring.at(i))).toEqual([3, 4, 5, undefined, undefined]);
});

test("tells of each batch once, and of nothing where there is nothing", () => {
  const ring = new Ring<number>(3);
  const told = vi.fn();
  const leave = ring.subscribe(told);
  ring.push([1, 2]);
  ring.push([]);
  expect(told).toHaveBeenCalledTimes(1);
  leave();
  ring.push([3]);
  expect(told).toHaveBeenCalledTimes(1);
});

test("goes back before the first row, and gives that up for what is new", () => {
  const ring = new Ring<string>(4);
  ring.push(["d"]);
  ring.putBefore(["c", "b"]);
  const all = () => Array.from({ length: ring.length }, (_, i) => ring.at(i)).join("");
  expect([all(), ring.first, ring.total, ring.full]).toEqual(["bcd", -2, 1, false]);
  ring.putBefore(["a", "too old"]);
  expect([all(), ring.first, ring.full]).toEqual(["abcd", -3, true]);
  ring.putBefore(["none"]);
  ring.push(["e"]);
  expect([all(), ring.first]).toEqual(["bcde", -2]);
  ring.push(["f", "g", "h", "i"]);
  expect([all(), ring.first, ring.at(4)]).toEqual(["fghi", 2, undefined]);
});

test("the version changes with what is put before, too", () => {
  const ring = new Ring<number>(2);
  const before = ring.version();
  ring.putBefore([1]);
  expect(ring.version()).not.toBe(before);
  const full = ring.version();
  ring.push([2]);
  ring.putBefore([0]);
  expect(ring.version()).toBe(full + 1);
});
