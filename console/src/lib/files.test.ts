import { expect, test, vi } from "vitest";
import { csv, keep } from "./files";

test("rows are CSV, and no cell is a formula", () => {
  const rows = [
    { name: 'a "b", c', n: -1, on: true, none: null },
    { name: "=HYPERLINK(1)", n: 2, on: false, none: undefined },
    { name: "two\nlines", n: 3, on: true, none: "-1+1" },
  ];
  expect(csv(rows)).toBe(
    'name,n,on,none\r\n"a ""b"", c",-1,true,\r\n\'=HYPERLINK(1),2,false,\r\n"two\nlines",3,true,\'-1+1\r\n',
  );
});

test.each(["=1", "+1", "-1", "@x", "\t=1"])("%j begins with a quote", (text) => {
  expect(csv([{ a: text }])).toContain(`'${text}`);
});

test("a file is given under its name, and its memory is given back", () => {
  const made = vi.fn(() => "blob:x");
  const freed = vi.fn();
  vi.stubGlobal("URL", Object.assign(URL, { createObjectURL: made, revokeObjectURL: freed }));
  const clicked = vi.spyOn(HTMLAnchorElement.prototype, "click").mockImplementation(function (
    this: HTMLAnchorElement,
  ) {
    expect([this.download, this.href]).toEqual(["rows.csv", "blob:x"]);
  });
  keep("rows.csv", "text/csv", "a");
  expect(clicked).toHaveBeenCalledOnce();
  expect(freed).toHaveBeenCalledWith("blob:x");
});
