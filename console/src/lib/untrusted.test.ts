import { expect, test } from "vitest";
import { shown } from "./untrusted";

test.each([
  ["/etc/passwd", "/etc/passwd"],
  ["<img src=x onerror=alert(1)>", "<img src=x onerror=alert(1)>"],
  ["a\u0000b\u001b[31m\n", "a␀b␛[31m␊"],
  ["photo\u202egpj.exe", "photo⟨U+202E⟩gpj.exe"],
  ["a\u200bb\ufeff", "a⟨U+200B⟩b⟨U+FEFF⟩"],
  ["\u0085", "⟨U+0085⟩"],
  ["花火 🎆", "花火 🎆"],
])("%j is shown as %j", (text, expected) => {
  expect(shown(text)).toBe(expected);
});

test("long text is bounded and says by how much", () => {
  expect(shown("x".repeat(1_000_000), 10)).toBe("xxxxxxxxxx… (+999990)");
  expect(shown("🎆🎆🎆", 3)).toBe("🎆… (+4)");
});

test("lines are kept where they are asked for", () => {
  expect(shown("{\n\t1\u0007", 100, true)).toBe("{\n␉1␇");
});
