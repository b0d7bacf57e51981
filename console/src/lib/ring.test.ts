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
