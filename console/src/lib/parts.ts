/** A text in pieces: what it shares with another one, and what it does not. */
export interface Piece {
  text: string;
  differs: boolean;
}

const WORD = /[\p{L}\p{N}]+|[^\p{L}\p{N}]/gu;
/** Longer texts are compared as wholes: the table below is their lengths multiplied. */
const WORDS_MAX = 200;

/** Where two names differ, word by word (longest common subsequence). */
export function parts(text: string, other: string): Piece[] {
  const a = text.match(WORD) ?? [];
  const b = other.match(WORD) ?? [];
  if (a.length > WORDS_MAX || b.length > WORDS_MAX) return [{ text, differs: text !== other }];
  const lengths = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
  const length = (i: number, j: number) => lengths[i]?.[j] ?? 0;
  for (let i = a.length - 1; i >= 0; i -= 1) {
    const row = lengths[i];
    if (!row) continue;
    for (let j = b.length - 1; j >= 0; j -= 1) {
      row[j] =
        a[i] === b[j] ? length(i + 1, j + 1) + 1 : Math.max(length(i + 1, j), length(i, j + 1));
    }
  }
  const pieces: Piece[] = [];
  const put = (word: string, differs: boolean) => {
    const last = pieces.at(-1);
    if (last?.differs === differs) last.text += word;
    else pieces.push({ text: word, differs });
  };
  let j = 0;
  a.forEach((word, i) => {
    while (j < b.length && word !== b[j] && length(i, j + 1) > length(i + 1, j)) j += 1;
    const same = word === b[j];
    put(word, !same);
    if (same) j += 1;
  });
  return pieces;
}
