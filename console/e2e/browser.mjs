// A browser that notes what a page must not do, and looks at pages as axe and a person do.
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";

const OUT = join(import.meta.dirname, "out");
const AXE = readFileSync(join(import.meta.dirname, "../node_modules/axe-core/axe.min.js"), "utf8");
const PLACES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

export const executable = process.env.CHROMIUM ?? PLACES.find((place) => existsSync(place));

/** What pages did that they must not. */
export const wrongs = [];

export async function launch() {
  mkdirSync(OUT, { recursive: true });
  const args = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"];
  return chromium.launch({ executablePath: executable, args });
}

export async function open(
  browser,
  origin,
  { width = 1440, height = 900, theme = "light", language = "en" } = {},
) {
  const context = await browser.newContext({ viewport: { width, height }, locale: "en-GB" });
  await context.addInitScript(
    ([theme, language]) => {
      if (!localStorage.getItem("hanabi.theme")) localStorage.setItem("hanabi.theme", theme);
      if (!localStorage.getItem("hanabi.language"))
        localStorage.setItem("hanabi.language", language);
    },
    [theme, language],
  );
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  page.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(origin) && !url.startsWith("data:")) wrongs.push(`request to ${url}`);
  });
  page.on("pageerror", (error) => wrongs.push(`error on ${page.url()}: ${error.message}`));
  page.on("dialog", (dialog) => wrongs.push(`script ran: ${dialog.message()}`));
  page.on("console", (message) => {
    const text = message.text();
    if (text.includes("Content Security Policy")) wrongs.push(`${page.url()}: ${text}`);
  });
  return page;
}

/** axe's violations, each with the first element. */
export async function violations(page) {
  const session = await page.context().newCDPSession(page);
  // The debugger's way in, since the page's policy takes no scripts.
  await session.send("Runtime.evaluate", { expression: AXE });
  const expression = `axe.run(document, { resultTypes: ["violations"] }).then((r) =>
    JSON.stringify(r.violations.map((v) => v.id + ": " + v.nodes[0].html.slice(0, 200))))`;
  const found = await session.send("Runtime.evaluate", {
    expression,
    awaitPromise: true,
    returnByValue: true,
  });
  await session.detach();
  return JSON.parse(found.result.value);
}

export async function shot(page, name) {
  await page.screenshot({ path: join(OUT, `${name}.png`) });
}
