// End to end: the real binary, a real recording, a real browser. Screenshots go to e2e/out.
import assert from "node:assert/strict";
import { executable, launch, open, shot, violations, wrongs } from "./browser.mjs";
import { access } from "./access.mjs";
import { many, opened } from "./events.mjs";
import { RECORDING, Service } from "./service.mjs";

if (!executable) {
  console.log("skipped: no Chromium (apt-get install chromium, or CHROMIUM=path)");
  process.exit(0);
}

let passed = 0;
let failed = 0;
async function check(name, work) {
  const began = Date.now();
  try {
    await work();
    passed += 1;
    console.log(`ok    ${name} (${Date.now() - began} ms)`);
  } catch (error) {
    await shot(page, `failed ${name}`);
    console.error(`FAIL  ${name}\n${error.stack}`);
    process.exitCode = 1;
    failed += 1;
  }
}

const service = await Service.begin();
const browser = await launch();
const page = await open(browser, service.url);
const rows = page.locator(".grid-body [role=row]");
const panel = page.getByRole("complementary", { name: "Alert" });
const state = (word) => panel.locator("header").getByText(word).waitFor();
const alertsOf = async (query) => (await service.get(`/api/alerts?${query}`)).alerts;

async function firstRun() {
  await page.goto(service.url);
  await page.getByRole("heading", { name: "Ready for events" }).waitFor();
  await shot(page, "first-run");
  await page.keyboard.press("g");
  await page.keyboard.press("a");
  await page.getByText("No open alerts").waitFor();
}

async function attackArrives() {
  const navigations = [];
  page.on("framenavigated", (frame) => navigations.push(frame.url()));
  service.send(RECORDING);
  await page
    .getByText(/a miner/)
    .first()
    .waitFor();
  assert.deepEqual(navigations, [], "it came by the stream");
  await page.getByText("Live", { exact: true }).waitFor();
}

/** By keyboard alone: open, why, acknowledge, take back, note, resolve, reopen. */
async function triage() {
  // What arrived last is in the list before it is worked in.
  await page.goto(`${service.url}/alerts?kind=danger&priority=Critical`);
  await rows.first().waitFor();
  await page.keyboard.press("j");
  await panel.getByText("they part here").waitFor();
  await panel.getByText("Process lineage").waitFor();
  assert.match(page.url(), /[?&]id=[0-9a-f]{16}/);
  await page.keyboard.press("a");
  await state(/Acknowledged/);
  await page.keyboard.press("u");
  await state(/Open/);
  await page.keyboard.press("n");
  await page.keyboard.type("looked at <b>it</b>");
  await page.keyboard.press("Enter");
  await panel.getByText("looked at <b>it</b>").waitFor();
  // The stream may bring the note before its own answer does, which closes the form.
  await panel.getByRole("form").waitFor({ state: "hidden" });
  await page.keyboard.press("r");
  await state(/Resolved/);
  await page.keyboard.press("e");
  await state(/Open/);
  const id = new URL(page.url()).searchParams.get("id");
  const alert = await service.get(`/api/alerts/${id}`);
  assert.equal(alert.state, "open");
  assert.ok(alert.history.some((one) => one.text === "looked at <b>it</b>"));
}

async function suppressing() {
  await page.goto(`${service.url}/alerts`);
  await rows.first().waitFor();
  await page.keyboard.press("j");
  await panel.getByRole("button", { name: "Suppress…" }).waitFor();
  await page.keyboard.press("s");
  const dialog = page.getByRole("dialog", { name: "Suppress" });
  await dialog.getByText(/would be suppressed/).waitFor();
  await dialog.getByRole("radio", { name: "7 days" }).check();
  await dialog.getByLabel("Reason").fill("known work");
  await shot(page, "suppress");
  assert.deepEqual(await violations(page), []);
  await dialog.getByRole("button", { name: "Suppress", exact: true }).click();
  await state(/Suppressed/);
  const [made] = (await service.get("/api/suppressions")).suppressions;
  assert.deepEqual([made.note, made.scope, made.active], ["known work", "fingerprint", true]);
  await page.locator(".ant-message").getByRole("button", { name: "Undo" }).click();
  await state(/Open/);
}

async function promoting() {
  const [alert] = await alertsOf("kind=new_file&container_id=cache");
  await page.goto(`${service.url}/alerts?id=${alert.id}`);
  await panel.getByRole("button", { name: "Add to profile…" }).waitFor();
  await page.keyboard.press("p");
  const dialog = page.getByRole("dialog", { name: "Add to the profile" });
  await dialog.getByText(/Alerts covered: \d+/).waitFor();
  await dialog.getByRole("radio", { name: /of the same kind/ }).check();
  await dialog.getByText(/Alerts covered: \d+/).waitFor();
  await shot(page, "promote");
  await dialog.getByRole("button", { name: "Add to profile" }).click();
  await state(/Promoted/);
  await dialog.waitFor({ state: "hidden" });
  await page.keyboard.press("u");
  await state(/Open/);
}

async function bulk() {
  await page.goto(`${service.url}/alerts?container_id=cache`);
  await rows.first().waitFor();
  await rows.nth(0).getByRole("checkbox").check();
  await rows.nth(1).getByRole("checkbox").check();
  await page.getByText("2 selected").waitFor();
  await page.locator(".bulk").getByRole("button", { name: "Acknowledge" }).click();
  await page.getByText("2 alerts changed, 0 refused").waitFor();
  const acknowledged = await alertsOf("state=acknowledged&container_id=cache");
  assert.equal(acknowledged.length, 2);
}

async function filters() {
  await page.goto(`${service.url}/alerts?state=all&priority=Error`);
  await rows.first().waitFor();
  const wanted = await alertsOf("priority=Error&limit=100");
  assert.equal(await rows.count(), wanted.length);
  await page.getByRole("searchbox").fill("xmrig");
  await page.waitForURL(/q=xmrig/);
  const found = await alertsOf("priority=Error&q=xmrig&limit=100");
  await page.waitForFunction(
    (n) => document.querySelectorAll(".grid-body [role=row]").length === n,
    found.length,
  );
  await page.goBack();
  await page.goto(`${service.url}/alerts?priority=nonsense`);
  await page.getByRole("alert").getByText("A parameter is wrong").waitFor();
}

/** Markup, direction marks, control characters and length, all from inside a container. */
async function hostile() {
  const name = `/tmp/<img src=x onerror=alert(1)>\u202egpj.exe\u0007${"🎆".repeat(2000)}`;
  const event = opened({
    container: "evil",
    id: "eeeeeeeeeeee",
    name,
    process: "sh",
    command: `sh ${"a".repeat(1_000_000 - 20_000)}`,
    at: BigInt(Date.now()) * 1_000_000n,
    number: 1,
  });
  await service.post("/ingest/falco", event, "application/x-ndjson");
  await page.goto(`${service.url}/containers/evil/logs`);
  await page
    .getByText(/<img src=x onerror=alert\(1\)>⟨U\+202E⟩gpj\.exe␇/)
    .first()
    .waitFor();
  await rows.first().click();
  await page.getByRole("region", { name: "Event", exact: true }).waitFor();
  await shot(page, "hostile");
  const size = await page.evaluate(() => document.body.innerText.length);
  assert.ok(size < 40_000, `${size} characters are shown`);
  // As a part of a picture it is text on a canvas, and in the list beside it.
  await page.goto(`${service.url}/trees/vm%3Aevil?view=map`);
  await page.locator(".picture canvas").waitFor();
}

/** The tree as a picture: what it shows is in a list, which goes down by key. */
async function pictures() {
  for (const view of ["map", "chart"]) {
    await page.goto(`${service.url}/trees/vm%3Abatch?view=${view}`);
    await page.locator(".picture canvas").waitFor();
    const list = page.getByRole("list", { name: "In this part" });
    await list.getByRole("link").first().focus();
    await page.keyboard.press("Enter");
    await page.waitForURL(/part=%2F\w+_branch/);
    await page.getByRole("navigation", { name: "Part of the tree" }).getByRole("link").click();
    await page.waitForURL((url) => !url.searchParams.get("part"));
  }
  await page.goto(`${service.url}/trees/vm%3Abatch?view=map`);
  const box = await page.locator(".picture canvas").boundingBox();
  await page.mouse.click(box.x + box.width / 3, box.y + box.height / 3);
  await page.waitForURL(/part=/);
}

/** The log goes back past its newest page, and the rows do not move under the reader. */
async function backInTheLog() {
  const lines = many("deep", "dddddddddddd", 1800);
  await service.post("/ingest/falco", lines.join("\n"), "application/x-ndjson");
  // What is still on its way to the log would come live, and only a part of it.
  for (let last = []; last.length === 0; await page.waitForTimeout(200))
    last = (await service.get("/api/containers/deep/logs?q=part-1800")).events ?? [];
  await page.goto(`${service.url}/containers/deep/logs?tree=off`);
  await page.getByText("Events shown: 500").waitFor();
  await page.getByRole("button", { name: "Pause" }).click();
  const grid = page.getByRole("grid");
  const shown = () => page.getByText(/Events shown: [\d,]+/).innerText();
  for (const n of ["1,500", "1,800"]) {
    await grid.evaluate((box) => box.scrollTo(0, 0));
    await page.getByText(`Events shown: ${n}`).waitFor();
    assert.ok((await grid.evaluate((box) => box.scrollTop)) > 0, "what was read stays in place");
  }
  await grid.evaluate((box) => box.scrollTo(0, 0));
  await page.getByText("/srv/data/part-1.parquet").waitFor();
  assert.match(await shown(), /1,800/);
  assert.equal(await page.getByRole("button", { name: "Older events" }).count(), 0);
  // What is copied from elsewhere leads to its log.
  await page.getByLabel("Container id or name").fill("dddddddddddd");
  await page.keyboard.press("Enter");
  await page.waitForURL(/containers\/dddddddddddd\/logs/);
}

/** Filters get a name, which outlives the page. */
async function views() {
  await page.goto(`${service.url}/alerts?state=all&priority=Error`);
  await page.getByText("Views", { exact: true }).click();
  await page.getByLabel("Name of these filters").fill("errors");
  await page.keyboard.press("Enter");
  await page.goto(`${service.url}/alerts`);
  await page.getByText("Views", { exact: true }).click();
  await page.getByRole("link", { name: "errors" }).click();
  await page.waitForURL(/priority=Error/);
}

/** What is shown as rows can be had as a file, and a period as a page to print. */
async function takenAway() {
  await page.goto(`${service.url}/containers`);
  await rows.first().waitFor();
  await page.getByText("Export", { exact: true }).click();
  const [file] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("button", { name: "CSV" }).click(),
  ]);
  assert.equal(file.suggestedFilename(), "containers.csv");
  await page.goto(`${service.url}/report`);
  await page.locator(".report table").first().waitFor();
  await page.emulateMedia({ media: "print" });
  assert.equal(await page.getByRole("navigation").count(), 0, "paper has no frame");
  await shot(page, "report-print");
  await page.emulateMedia({ media: null });
}

async function languages() {
  await page.goto(`${service.url}/alerts`);
  await page.getByRole("button", { name: "中文" }).click();
  await page.getByRole("link", { name: "总览" }).waitFor();
  await page.reload();
  await page.getByRole("link", { name: "总览" }).waitFor();
  assert.equal(await page.locator("html").getAttribute("lang"), "zh-CN");
  await page.getByRole("button", { name: "English" }).click();
  await page.getByRole("link", { name: "Overview" }).waitFor();
}

async function reconnect() {
  await page.goto(`${service.url}/alerts`);
  await rows.first().waitFor();
  const before = await rows.count();
  await service.stop();
  await page.getByText(/Reconnecting in \d+ s/).waitFor();
  await service.start();
  await page.getByText("Live", { exact: true }).waitFor({ timeout: 40_000 });
  // A new run does not know the old one's numbers.
  await page.getByText(/live messages were missed/).waitFor();
  await rows.first().waitFor();
  assert.equal(await rows.count(), before, "alerts survive");
}

async function looks() {
  const [alert] = await alertsOf("kind=new_argument");
  const [incident] = (await service.get("/api/incidents")).incidents;
  const pages = {
    overview: ["/", ".chart canvas"],
    alerts: ["/alerts?state=all", ".grid-body [role=row]"],
    alert: [`/alerts?state=all&id=${alert.id}`, ".panel .paths"],
    incidents: ["/incidents", ".grid-body [role=row]"],
    incident: [`/incidents/${incident.id}`, ".story li"],
    containers: ["/containers", ".grid-body [role=row]"],
    logs: ["/containers/cache/logs", ".grid-body [role=row]"],
    "container-alerts": ["/containers/cache/alerts", ".grid-body [role=row]"],
    trees: ["/trees", "tbody tr"],
    tree: ["/trees/vm%3Abatch?node=sh", "[role=treeitem]"],
    map: ["/trees/vm%3Abatch?view=map", ".picture canvas"],
    chart: ["/trees/vm%3Abatch?view=chart", ".picture canvas"],
    differences: ["/trees/vm%3Abatch?view=diff", ".diff, .nothing"],
    quarantine: ["/trees/vm%3Abatch?view=quarantine", ".card, .nothing"],
    system: ["/system", "tbody tr"],
    suppressions: ["/system?part=suppressions", ".card"],
    maintenance: ["/system?part=maintenance", "form"],
    tokens: ["/system?part=tokens", ".nothing, tbody tr"],
    audit: ["/system?part=audit", ".grid-body [role=row]"],
    configuration: ["/system?part=config", "tbody tr"],
    dashboards: ["/dashboards", ".nothing pre"],
    report: ["/report", ".report table"],
    "no-page": ["/nothing", "h1"],
  };
  const bad = [];
  for (const [theme, language, width] of [
    ["light", "en", 1440],
    ["dark", "zh", 1440],
    ["light", "zh", 390],
    ["dark", "en", 390],
  ]) {
    const view = await open(browser, service.url, {
      theme,
      language,
      width,
      height: width > 500 ? 900 : 800,
    });
    for (const [name, [path, ready]] of Object.entries(pages)) {
      await view.goto(service.url + path);
      await view.locator(ready).first().waitFor();
      await view.locator(".loading").first().waitFor({ state: "detached" });
      await shot(view, `${name} ${theme} ${language} ${width}`);
      for (const found of await violations(view)) bad.push(`${name} ${theme} ${width}: ${found}`);
      const over = await view.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      if (over > 0) bad.push(`${name} ${width}: ${over} px too wide`);
    }
    await view.context().close();
  }
  assert.deepEqual(bad, []);
}

async function ready() {
  const view = await open(browser, service.url);
  const began = Date.now();
  await view.goto(service.url);
  await view.locator(".tile b").first().waitFor();
  console.log(`      overview is ready after ${Date.now() - began} ms, nothing cached`);
  await view.context().close();
}

try {
  await check("the first run says what to do", firstRun);
  await check("an attack arrives live", attackArrives);
  await check("an alert is triaged by keyboard alone", triage);
  await check("a suppression is previewed, made and taken back", suppressing);
  await check("a behaviour is added to the profile and taken out", promoting);
  await check("several are acknowledged at once", bulk);
  await check("the address is the filter", filters);
  await check("text from containers is text", hostile);
  await check("a tree is a picture, too, that keys go down", pictures);
  await check("the log goes back to its beginning", backInTheLog);
  await check("filters are kept under a name", views);
  await check("rows are files, and a period is a report", takenAway);
  await check("who comes in sees what is theirs", () => access(browser));
  await check("both languages are spoken, and remembered", languages);
  await check("the overview is soon there", ready);
  await check("every page is accessible, in both themes and on a phone", looks);
  await check("a restart of the service is survived", reconnect);
  await check("nothing was loaded from elsewhere, and no policy broken", () =>
    assert.deepEqual(wrongs, []),
  );
  const where = failed > 0 ? `, ${failed} failed; the pages are in e2e/out` : "";
  console.log(`end to end: ${passed} passed${where}`);
} finally {
  await browser.close();
  await service.end();
}
