// Measures the log table in a browser while events come: frames, heap. `npm run measure [seconds]`.
import { launch, open } from "./browser.mjs";
import { Service } from "./service.mjs";

const SECONDS = Number(process.argv[2] ?? 60);
const A_SECOND = 1000;
const BATCH_MS = 100;

const service = await Service.begin();
const browser = await launch();
const page = await open(browser, service.url);
let sent = 0;

function batch() {
  const lines = [];
  for (let i = 0; i < (A_SECOND * BATCH_MS) / 1000; i += 1) {
    sent += 1;
    // Each is its own behaviour, so that the log merges none of them.
    const name = `/srv/data/part-${sent}.parquet`;
    const fields = {
      "container.id": "abcdefabcdef",
      "container.name": "busy",
      "evt.type": "openat",
      "evt.time.iso8601": String(BigInt(Date.now()) * 1_000_000n + BigInt(i * 1000)),
      "evt.num": sent,
      "fd.name": name,
      "fd.typechar": "f",
      "proc.name": "worker",
      "proc.cmdline": `worker --part ${sent}`,
      "evt.args": `fd=3(<f>${name}) flags=1(O_RDONLY)`,
    };
    const time = new Date().toISOString();
    const head = { hostname: "vm", priority: "Debug", rule: "file", source: "syscall" };
    lines.push(JSON.stringify({ ...head, time, output: "", tags: [], output_fields: fields }));
  }
  const headers = { "content-type": "application/x-ndjson" };
  return fetch(`${service.url}/ingest/falco`, { method: "POST", headers, body: lines.join("\n") });
}

const feed = setInterval(() => void batch(), BATCH_MS);
try {
  await page.waitForTimeout(3000);
  await page.goto(`${service.url}/containers/busy/logs?tree=off`);
  await page.locator(".grid-body [role=row]").first().waitFor();
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
