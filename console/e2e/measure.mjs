// Measures the log table in a browser while events come: frames, heap, with the page as full of rows
// as it gets. `npm run measure [seconds] [rows]`.
import { launch, open } from "./browser.mjs";
import { many } from "./events.mjs";
import { Service } from "./service.mjs";

const SECONDS = Number(process.argv[2] ?? 60);
/** What the page keeps, `KEPT` of `src/components/logs.tsx`. */
const ROWS = Number(process.argv[3] ?? 100_000);
const A_SECOND = 1000;
const BATCH_MS = 100;

const service = await Service.begin();
const browser = await launch();
const page = await open(browser, service.url);
let sent = 0;

function batch() {
  const lines = many("busy", "abcdefabcdef", (A_SECOND * BATCH_MS) / 1000, sent);
  sent += lines.length;
  return service.post("/ingest/falco", lines.join("\n"), "application/x-ndjson");
}

/** Puts into the log what the page is filled with. */
async function fill() {
  while (sent < ROWS) {
    const lines = many("busy", "abcdefabcdef", 1500, sent);
    try {
      await service.post("/ingest/falco", lines.join("\n"), "application/x-ndjson");
      sent += lines.length;
    } catch (error) {
      if (!error.message.includes("429")) throw error;
    }
    await page.waitForTimeout(500);
  }
}

/** Goes back in the log until the page keeps as many rows as it can. */
async function goBack() {
  const older = page.getByRole("button", { name: "Older events" });
  while ((await older.count()) > 0) {
    await older.click();
    await page.waitForFunction(() => !document.querySelector(".list-bar button:disabled"));
  }
  await page.getByRole("button", { name: "Follow" }).click();
}

let feed;
try {
  await fill();
  await page.waitForTimeout(3000);
  await page.goto(`${service.url}/containers/busy/logs?tree=off`);
  await page.locator(".grid-body [role=row]").first().waitFor();
  await goBack();
  feed = setInterval(() => void batch().catch((error) => console.error(error.message)), BATCH_MS);
  const session = await page.context().newCDPSession(page);
  const heap = async () => {
    await session.send("HeapProfiler.collectGarbage");
    return (await session.send("Runtime.getHeapUsage")).usedSize / 2 ** 20;
  };
  await page.waitForTimeout(3000);
  const before = await heap();
  const frames = await page.evaluate(
    (ms) =>
      new Promise((done) => {
        const times = [];
        const start = performance.now();
        let last = start;
        const frame = (now) => {
          times.push(now - last);
          last = now;
          if (now - start < ms) requestAnimationFrame(frame);
          else done(times.sort((a, b) => a - b));
        };
        requestAnimationFrame(frame);
      }),
    SECONDS * 1000,
  );
  const after = await heap();
  const at = (part) => frames[Math.floor(frames.length * part)].toFixed(1);
  const kept = await page.getByText(/Events shown/).innerText();
  console.log(`${SECONDS} s at ${A_SECOND} events/s sent, following`);
  console.log(`frames: ${(frames.length / SECONDS).toFixed(1)} a second`);
  console.log(`frame time: p50 ${at(0.5)} ms, p95 ${at(0.95)} ms, p99 ${at(0.99)} ms`);
  console.log(`heap: ${before.toFixed(1)} MiB, then ${after.toFixed(1)} MiB`);
  console.log(kept);
} finally {
  clearInterval(feed);
  await browser.close();
  await service.end();
}
