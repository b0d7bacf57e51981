/** Characters shown of a value in a list; details show more. */
export const SHOWN = 400;
/** Characters shown of a value in a detail. */
export const SHOWN_WHOLE = 8_000;

// Marks that turn the direction of what follows, and joiners that hide: they would let a name look
// like another one.
const MARKS = /[\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/gu;
// eslint-disable-next-line no-control-regex -- these are what is looked for
const CONTROLS = /[\u0000-\u001f\u007f]/gu;
// eslint-disable-next-line no-control-regex -- these are what is looked for
const CONTROLS_BUT_LINES = /[\u0000-\u0009\u000b-\u001f\u007f]/gu;

const code = (mark: string) =>
  `⟨U+${(mark.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}⟩`;
const picture = (control: string) =>
  control === "\u007f" ? "␡" : String.fromCharCode(0x2400 + control.charCodeAt(0));

/** Text of an event as it can be shown: bounded, with what is invisible made visible. */
export function shown(text: string, most = SHOWN, lines = false): string {
  let cut = text;
  if (text.length > most) {
    // Half of a pair is no character.
    const end = /[\ud800-\udbff]/.test(text.charAt(most - 1)) ? most - 1 : most;
    cut = `${text.slice(0, end)}… (+${text.length - end})`;
  }
  return cut
    .replace(lines ? CONTROLS_BUT_LINES : CONTROLS, picture)
    .replace(MARKS, code)
    .replace(/[\u0080-\u009f]/gu, code);
}
