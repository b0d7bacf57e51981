import { expect, test } from "vitest";
import type { LogRow } from "../api/client";
import { fits } from "./logs";

const ROW: LogRow = {
  time: "2026-11-22T09:20:00Z",
  container_id: "c",
  container_name: "web",
  identity: "web@vm",
  host: "vm",
  category: "file",
  priority: "Notice",
  rule: "file",
  call: "openat",
  process: "nginx",
  command_line: "nginx: worker",
  object: "/etc/SHADOW",
  outcome: "ok",
  count: 1,
  deviation: null,
  raw: null,
};

test.each<[Parameters<typeof fits>[0], boolean]>([
  [{}, true],
  [{ category: "file", priority: "Debug" }, true],
  [{ category: "network" }, false],
  [{ priority: "Warning" }, false],
  [{ q: "shadow" }, true],
  [{ q: "NGINX" }, true],
  [{ q: "sshd" }, false],
])("%j lets the row through: %s", (filter, expected) => {
  expect(fits(filter, ROW)).toBe(expected);
});
