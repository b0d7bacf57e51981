/** A piece of a line: words, or a value between backticks. */
export interface Word {
  text: string;
  code: boolean;
}

export type Block =
  | { kind: "heading"; level: number; words: Word[] }
  | { kind: "paragraph"; words: Word[] }
  | { kind: "list"; items: Word[][] }
  | { kind: "table"; head: Word[][]; rows: Word[][][] };

/** Words and values of a line; a value's fence is as many backticks as its text needs. */
export function words(line: string): Word[] {
  const found: Word[] = [];
  const put = (text: string, code: boolean) => text && found.push({ text, code });
  const fence = /(`+)([^]*?[^`])\1(?!`)/g;
  let end = 0;
  for (const match of line.matchAll(fence)) {
    put(line.slice(end, match.index), false);
    const text = match[2] ?? "";
    // A space on both sides keeps backticks of the text from the fence.
    put(/^ .*\S.* $/.test(text) ? text.slice(1, -1) : text, true);
    end = match.index + match[0].length;
  }
  put(line.slice(end), false);
  return found;
}

function cells(line: string): Word[][] {
  const inner = line.replace(/^\|/, "").replace(/\|$/, "");
  return inner.split(/(?<!\\)\|/).map((cell) => words(cell.trim().replaceAll("\\|", "|")));
}

/**
 * The Markdown of the service's report in blocks: headings, paragraphs, lists and tables, which is
 * all that the report has. Nothing of it becomes markup of a page.
 */
export function blocks(text: string): Block[] {
  const found: Block[] = [];
  for (const line of text.split("\n")) {
    const last = found.at(-1);
    const heading = /^(#{1,6}) (.*)$/.exec(line);
    if (line.trim() === "") found.push({ kind: "paragraph", words: [] });
    else if (heading)
      found.push({
        kind: "heading",
        level: heading[1]?.length ?? 1,
        words: words(heading[2] ?? ""),
      });
    else if (line.startsWith("- ")) {
      if (last?.kind === "list") last.items.push(words(line.slice(2)));
      else found.push({ kind: "list", items: [words(line.slice(2))] });
    } else if (line.startsWith("|")) {
      if (last?.kind !== "table") found.push({ kind: "table", head: cells(line), rows: [] });
      else if (!/^[|:\- ]+$/.test(line)) last.rows.push(cells(line));
    } else found.push({ kind: "paragraph", words: words(line) });
  }
  return found.filter((block) => block.kind !== "paragraph" || block.words.length > 0);
}
