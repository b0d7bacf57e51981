// The first page: reads the API, follows the stream, and shows event text as text only, because it
// is written by whoever runs inside the containers.
"use strict";

const TEXT = {
  en: {
    other: "中文", containers: "Containers", rate: "Events per second", openAlerts: "Open alerts",
    lost: "Events lost", name: "Container", phase: "Phase", learning: "Learned",
    eventsPerSecond: "Events/s", lastEvent: "Last event", alerts: "Open", newestAlerts: "Newest alerts",
    live: "Live", connecting: "Connecting…", retry: (s) => `Reconnecting in ${s} s`,
    received: "Received", modelled: "modelled", pending: "waiting", ignored: "ignored",
    rejected: "rejected", dropped: "lost", sources: "Sources", noAlerts: "No alerts so far.",
    noAlertsLearning: "No alerts so far. Profiles that still learn raise few.",
    welcomeTitle: "Ready for events",
    welcomeText: "Nothing has arrived yet. This page fills as soon as the first event does.",
    welcomeRecording: "Play the recording that comes with Hanabi",
    welcomeOne: "Send one event by hand", welcomeFalco: "Let Falco send its own (falco.yaml)",
    loginTitle: "Log in", loginText: "The service asks who you are: by a token (hanabi token create).", logIn: "Log in", logOut: "Log out", loginWrong: "The token is not taken.", mayNot: "What this shows takes the role viewer.",
    notAnswering: "The service does not answer. What is shown may be old.",
    missed: (n) => `The connection was too slow: ${n} messages were skipped. The lists are up to date again.`,
    gap: "Some messages were missed. The lists are up to date again.",
    where: "Where", seen: "Seen", expected: "Expected", nearest: "Nearest", lineage: "Process", evidence: "And then",
    score: "Score", rule: "Rule", technique: "ATT&CK", first: "First seen", last: "Last seen",
    image: "Image", nothingKnown: "nothing learned here", of: "needs", times: (n) => `×${n}`,
    partial: "by time, not by evidence", done: "done", receivedLines: (n) => `${n} lines received`,
    alertsShown: (n) => `last ${n}`, ago: { s: " s ago", m: " min ago", h: " h ago", d: " d ago" }, now: "now",
    phases: { warmup: "warm-up", learning: "learning", detecting: "detecting", relearning: "relearning", degraded: "degraded", frozen: "frozen" },
    waiting: { min_time: "more time", min_events: "more events", novelty: "still new", new_nodes: "tree still grows", lossy: "events were lost" },
    branches: { process: "processes", network: "connections", file: "files" },
    priorities: {}, waitsFor: "Waits for",
  },
  zh: {
    other: "English", containers: "容器", rate: "每秒事件", openAlerts: "未处理告警",
    lost: "丢失事件", name: "容器", phase: "阶段", learning: "学习进度",
    eventsPerSecond: "事件/秒", lastEvent: "最近事件", alerts: "未处理", newestAlerts: "最新告警",
    live: "实时", connecting: "正在连接…", retry: (s) => `${s} 秒后重连`,
    received: "已接收", modelled: "已建模", pending: "等待中", ignored: "已忽略",
    rejected: "已拒绝", dropped: "丢失", sources: "来源", noAlerts: "暂无告警。",
    noAlertsLearning: "暂无告警。仍在学习的画像很少产生告警。",
    welcomeTitle: "等待事件",
    welcomeText: "尚未收到任何事件。第一个事件到达后，本页会自动显示。",
    welcomeRecording: "播放随 Hanabi 提供的录制文件",
    welcomeOne: "手动发送一个事件", welcomeFalco: "让 Falco 直接发送（falco.yaml）",
    loginTitle: "登录", loginText: "服务要求验证身份：请输入令牌（hanabi token create）。", logIn: "登录", logOut: "退出", loginWrong: "令牌无效。", mayNot: "查看此页需要 viewer 角色。",
    notAnswering: "服务没有响应，显示的内容可能已过时。",
    missed: (n) => `连接过慢，跳过了 ${n} 条消息。列表已重新同步。`,
    gap: "有消息缺失。列表已重新同步。",
    where: "位置", seen: "实际值", expected: "预期", nearest: "最接近", lineage: "进程链", evidence: "随后",
    score: "评分", rule: "规则", technique: "ATT&CK", first: "首次出现", last: "最近出现",
    image: "镜像", nothingKnown: "此处没有学到任何内容", of: "阈值", times: (n) => `×${n}`,
    partial: "按时间结束，证据不足", done: "完成", receivedLines: (n) => `已接收 ${n} 行`,
    alertsShown: (n) => `最近 ${n} 条`, ago: { s: " 秒前", m: " 分钟前", h: " 小时前", d: " 天前" }, now: "刚刚",
    phases: { warmup: "预热", learning: "学习中", detecting: "检测中", relearning: "重新学习", degraded: "降级", frozen: "已冻结" },
    waiting: { min_time: "时间不足", min_events: "事件不足", novelty: "仍有新行为", new_nodes: "画像仍在增长", lossy: "有事件丢失" },
    branches: { process: "进程", network: "网络", file: "文件" },
    priorities: { Debug: "调试", Informational: "信息", Notice: "注意", Warning: "警告", Error: "错误", Critical: "严重", Alert: "警报", Emergency: "紧急" },
    waitsFor: "等待",
  },
};

const PRIORITIES = ["Emergency", "Alert", "Critical", "Error", "Warning", "Notice", "Informational", "Debug"];
const ALERTS_SHOWN = 100;
const ROWS_SHOWN = 300;
const SILENCE_MS = 90000;
const BACKOFF_S = [1, 2, 4, 8, 16, 30];

const $ = (id) => document.getElementById(id);
const store = {
  get(key) { try { return localStorage.getItem(key); } catch { return null; } },
  set(key, value) { try { localStorage.setItem(key, value); } catch { /* private windows have none */ } },
};

const wanted = store.get("hanabi.language") || (navigator.language.startsWith("zh") ? "zh" : "en");
let language = wanted === "zh" ? "zh" : "en";
let t = TEXT[language];
const state = { containers: null, overview: null, alerts: new Map(), open: new Set(), fresh: new Set(), link: "wait", wait: 0, skew: 0 };

function el(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

const number = (n) => Number(n || 0).toLocaleString(language === "zh" ? "zh-CN" : "en-US");
const rate = (n) => (n >= 100 ? number(Math.round(n)) : n > 0 && n < 0.05 ? "<0.1" : Number(n || 0).toFixed(1));
const sum = (counts) => Object.values(counts || {}).reduce((a, b) => a + b, 0);
const priorityName = (p) => t.priorities[p] || p;

// A replay's events carry the time of the recording, so "now" is the newest event's time when that is
// far from this clock.
function now() {
  const newest = Date.parse(state.overview?.generated || "");
  return Number.isNaN(newest) || Math.abs(Date.now() - newest) < 600000 ? Date.now() : newest;
}

function ago(text) {
  const time = Date.parse(text || "");
  if (Number.isNaN(time)) return "–";
  const seconds = Math.max(0, Math.round((now() - time) / 1000));
  if (seconds < 2) return t.now;
  if (seconds < 60) return seconds + t.ago.s;
  if (seconds < 3600) return Math.floor(seconds / 60) + t.ago.m;
  if (seconds < 86400) return Math.floor(seconds / 3600) + t.ago.h;
  return Math.floor(seconds / 86400) + t.ago.d;
}

function clock(text) {
  const time = new Date(text || "");
  return Number.isNaN(time.getTime()) ? "–" : time.toLocaleString(language === "zh" ? "zh-CN" : "en-GB");
}

function waitingWord(word) {
  const [condition, branch] = word.split(":");
  const name = t.waiting[condition] || condition;
  return branch ? `${name}: ${t.branches[branch] || branch}` : name;
}

function priorityChips(counts, box, withNames) {
  box.replaceChildren();
  for (const p of PRIORITIES) {
    if (!counts?.[p]) continue;
    const chip = el("span", withNames ? "" : "chip", withNames ? `${priorityName(p)} ${number(counts[p])}` : number(counts[p]));
    chip.dataset.p = p;
    chip.title = priorityName(p);
    box.append(chip);
  }
}

function containerRow(row) {
  const tr = el("tr");
  const name = el("td");
  name.append(el("div", "name", row.name || row.short_id || row.id));
  const where = [row.image, row.namespace || row.host].filter(Boolean).join(" · ");
  name.append(el("div", "under", where));
  name.title = `${row.id}\n${row.identity}`;
  const phase = el("td");
  const word = el("span", "phase", t.phases[row.phase] || row.phase);
  word.dataset.phase = row.phase;
  phase.append(word);
  const learning = el("td", "learning");
  const progress = Math.max(0, Math.min(100, row.learning.progress || 0));
  const meter = el("div", "meter");
  const track = el("div", progress >= 100 ? "track done" : "track");
  const fill = el("i");
  fill.style.width = `${progress}%`;
  track.append(fill);
  meter.append(track, el("span", "", `${Math.floor(progress)} %`));
  learning.append(meter);
  const waits = row.learning.waiting_for || [];
  if (row.learning.partial) learning.append(el("div", "under", t.partial));
  else if (waits.length) learning.append(el("div", "under", waits.map(waitingWord).join(", ")));
  const alerts = el("td", "number");
  priorityChips(row.open_alerts, alerts, false);
  if (!alerts.childNodes.length) alerts.textContent = "–";
  const last = el("td", "number", ago(row.last_event));
  last.title = row.last_event || "";
  tr.append(name, phase, learning, el("td", "number", rate(row.events_per_second)), last, alerts);
  return tr;
}

function severity(row) {
  const at = PRIORITIES.findIndex((p) => row.open_alerts?.[p]);
  return at < 0 ? PRIORITIES.length : at;
}

function showContainers() {
  if (!state.containers) return;
  const rows = [...state.containers.containers];
  rows.sort((a, b) => severity(a) - severity(b) || (a.name || a.id).localeCompare(b.name || b.id));
  $("containers").replaceChildren(...rows.slice(0, ROWS_SHOWN).map(containerRow));
  const total = state.containers.total;
  $("containers-count").textContent = total > ROWS_SHOWN ? `${ROWS_SHOWN} / ${number(total)}` : number(total);
}

function codes(list, separator) {
  const box = el("span");
  list.forEach((item, i) => {
    if (i) box.append(el("span", "sep", separator));
    box.append(item);
  });
  return box;
}

function why(alert) {
  const box = el("div", "why");
  const list = el("dl");
  const line = (name, value) => {
    if (!value) return;
    const dd = el("dd");
    dd.append(value);
    list.append(el("dt", "", name), dd);
  };
  const steps = alert.path.learned.map((name) => el("code", "step", name));
  if (alert.path.token) steps.push(el("code", "step off", alert.path.token));
  if (steps.length) line(t.where, codes(steps, "›"));
  if (alert.path.raw) line(t.seen, el("code", "", alert.path.raw));
  const expected = alert.expected.map((e) => el("code", "", `${e.token} ${t.times(number(e.count))}`));
  line(t.expected, expected.length ? codes(expected, "·") : el("span", "step", t.nothingKnown));
  if (alert.nearest) {
    const near = el("span");
    const n = alert.nearest;
    near.append(el("code", "", n.token), el("span", "step", `  ${n.similarity.toFixed(2)} (${t.of} ${n.threshold.toFixed(2)})`));
    line(t.nearest, near);
  }
  const evidence = (alert.evidence || []).map((e) => el("code", "", `${e.process}: ${e.kind} ${e.token} ${t.times(number(e.count))}`));
  if (evidence.length) line(t.evidence, codes(evidence, "·"));
  const lineage = alert.lineage.map((p) => {
    const code = el("code", "", p.command_line || p.name);
    code.title = [p.executable, p.pid === null ? "" : `pid ${p.pid}`].filter(Boolean).join("\n");
    return code;
  });
  if (lineage.length) line(t.lineage, codes(lineage, "→"));
  const parts = alert.score_parts.map((p) => `${p.name} ${p.value.toFixed(2)}`).join(", ");
  line(t.score, `${alert.score.toFixed(2)}${parts ? ` (${parts})` : ""}`);
  line(t.rule, alert.rule);
  line(t.technique, alert.mitre.join(", "));
  line(t.image, alert.container.image);
  line(t.first, clock(alert.first_seen));
  line(t.last, clock(alert.last_seen));
  box.append(list);
  return box;
}

function alertItem(alert) {
  const item = el("li", state.fresh.has(alert.id) ? "alert fresh" : "alert");
  item.dataset.p = alert.priority;
  const open = state.open.has(alert.id);
  const head = el("button", "alert-head");
  head.type = "button";
  head.setAttribute("aria-expanded", String(open));
  const priority = el("span", "priority", priorityName(alert.priority));
  priority.dataset.p = alert.priority;
  const summary = alert.summary[language] || alert.summary.en || alert.rule;
  const name = alert.container.name || alert.container.id;
  const more = alert.containers_total > 1 ? ` +${alert.containers_total - 1}` : "";
  const meta = [name + more, alert.kind === "rule" ? alert.rule : alert.kind, alert.state === "open" ? "" : alert.state];
  const times = el("span", "times", ago(alert.last_seen));
  times.title = alert.last_seen;
  head.append(priority, el("span", "summary", summary), el("span", "times", t.times(number(alert.count))));
  head.append(el("span", "meta", meta.filter(Boolean).join(" · ")), times);
  times.classList.add("ago");
  head.addEventListener("click", () => {
    const closed = state.open.delete(alert.id);
    if (!closed) state.open.add(alert.id);
    history.replaceState(null, "", closed ? location.pathname : `#${encodeURIComponent(alert.id)}`);
    showAlerts();
    document.querySelector(`[data-id="${CSS.escape(alert.id)}"] button`)?.focus();
  });
  item.dataset.id = alert.id;
  item.append(head);
  if (open) item.append(why(alert));
  return item;
}

function showAlerts() {
  const alerts = [...state.alerts.values()].sort((a, b) => (a.last_seen < b.last_seen ? 1 : -1));
  for (const gone of alerts.splice(ALERTS_SHOWN)) state.alerts.delete(gone.id);
  $("alerts").replaceChildren(...alerts.map(alertItem));
  $("alerts").hidden = !alerts.length;
  $("alerts-count").textContent = alerts.length === ALERTS_SHOWN ? t.alertsShown(ALERTS_SHOWN) : number(alerts.length);
  const none = $("alerts-none");
  none.hidden = alerts.length > 0;
  const learns = state.containers?.containers.some((row) => row.phase === "warmup" || row.phase === "learning");
  none.textContent = learns ? t.noAlertsLearning : t.noAlerts;
}

function showOverview() {
  const o = state.overview;
  if (!o) return;
  $("tile-containers").textContent = number(o.containers.total);
  const phases = Object.entries(o.containers.by_phase).filter(([, n]) => n > 0);
  $("tile-phases").replaceChildren(...phases.map(([p, n]) => el("span", "", `${t.phases[p] || p} ${number(n)}`)));
  $("tile-rate").textContent = rate(o.containers.events_per_second);
  // The newest step is not over yet and would look like a fall.
  const series = o.events.series.slice(-61, -1);
  const most = Math.max(1, ...series.map((point) => point.events));
  $("tile-spark").replaceChildren(...series.map((point) => {
    const bar = el("i");
    bar.style.height = `${Math.max(4, (100 * point.events) / most)}%`;
    bar.title = `${clock(point.start)}  ${number(point.events)}`;
    return bar;
  }));
  $("tile-spark").setAttribute("aria-label", t.rate);
  $("tile-alerts").textContent = number(o.alerts.open);
  $("tile-alerts").classList.toggle("bad", ["Emergency", "Alert", "Critical"].some((p) => o.alerts.open_by_priority[p]));
  priorityChips(o.alerts.open_by_priority, $("tile-priorities"), true);
  $("tile-lost").textContent = number(o.lost);
  $("tile-lost").classList.toggle("bad", o.lost > 0);
  $("tile-received").textContent = t.receivedLines(number(o.totals.received));
  $("clock").textContent = o.generated ? clock(o.generated) : "";
  showTotals(o);
}

function showTotals(o) {
  const figures = [
    [t.received, o.totals.received], [t.modelled, o.totals.modelled], [t.ignored, sum(o.totals.ignored), o.totals.ignored],
    [t.rejected, sum(o.totals.rejected), o.totals.rejected], [t.pending, o.totals.pending], [t.dropped, o.lost, o.totals.dropped],
  ];
  const line = figures.map(([name, n, reasons]) => {
    const span = el("span", name === t.dropped && n > 0 ? "bad" : "", `${name} `);
    span.append(el("b", "", number(n)));
    span.title = Object.entries(reasons || {}).map(([reason, count]) => `${reason} ${number(count)}`).join("\n");
    return span;
  });
  for (const source of o.sources) {
    const span = el("span", source.state === "failed" ? "bad" : "", `${source.id} `);
    span.append(el("b", "", source.state));
    span.title = source.detail;
    line.push(span);
  }
  $("totals").replaceChildren(...line);
}

function showLink() {
  $("status").dataset.state = state.link;
  $("status-text").textContent = state.link === "live" ? t.live : state.wait ? t.retry(state.wait) : t.connecting;
}

function showWelcome() {
  const empty = !state.overview?.totals.received && !state.containers?.total;
  $("welcome").hidden = !empty;
  $("work").hidden = empty;
}

function showAll() {
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  for (const node of document.querySelectorAll("[data-text]")) node.textContent = t[node.dataset.text];
  $("language").textContent = t.other;
  const origin = location.origin;
  $("welcome-send").textContent = `hanabi send fixtures/shop-small.jsonl.zst --to ${origin} --speed 20 --shift end`;
  const time = new Date().toISOString();
  $("welcome-curl").textContent = `curl ${origin}/ingest/falco -H 'content-type: application/json' \\\n  -d '{"hostname":"demo","priority":"Notice",`
    + `"rule":"Example","source":"syscall","time":"${time}","output":"","output_fields":{"evt.type":"execve","container.id":"0123456789ab",`
    + `"container.name":"demo","proc.name":"sh","proc.cmdline":"sh -c id"}}'`;
  $("welcome-falco").textContent = `json_output: true\nhttp_output:\n  enabled: true\n  url: ${origin}/ingest/falco`;
  showOverview();
  showContainers();
  showAlerts();
  showLink();
  showWelcome();
}

function notice(text) {
  $("notice").textContent = text;
  $("notice").hidden = !text;
}

async function read(path) {
  const answer = await fetch(path, { headers: { accept: "application/json" } });
  if (answer.status === 401) showLogin(true);
  if (!answer.ok) throw Object.assign(new Error(`${path}: ${answer.status}`), { status: answer.status });
  return answer.json();
}

let csrf = null;

function showLogin(wanted) {
  if (wanted) csrf = null;
  $("login").hidden = !wanted;
  $("logout").hidden = !csrf;
}

async function change(path, body) {
  const headers = { "content-type": "application/json" };
  if (csrf) headers["x-csrf-token"] = csrf;
  return fetch(path, { method: "POST", headers, body: JSON.stringify(body) });
}

async function readMe() {
  try {
    csrf = (await read("/api/me")).csrf;
    showLogin(false);
  } catch {
    // Whoever is not known has been asked to log in.
  }
}

async function readState() {
  if (document.hidden && state.overview) return;
  try {
    [state.overview, state.containers] = await Promise.all([read("/api/overview?window=15m"), read("/api/containers")]);
    if (!$("notice").dataset.kept) notice("");
    showOverview();
    showContainers();
    showWelcome();
    refreshTimes();
  } catch (error) {
    notice(error.status === 401 ? "" : error.status === 403 ? t.mayNot : t.notAnswering);
  }
}

// Rows are not rebuilt for the passing of time, so that an open row keeps its selection.
function refreshTimes() {
  for (const item of $("alerts").children) {
    const alert = state.alerts.get(item.dataset.id);
    if (alert) item.querySelector(".ago").textContent = ago(alert.last_seen);
  }
}

async function readAlerts() {
  try {
    const page = await read(`/api/alerts?limit=${ALERTS_SHOWN}`);
    state.alerts = new Map(page.alerts.map((alert) => [alert.id, alert]));
    showAlerts();
  } catch (error) {
    if (!error.status) notice(t.notAnswering);
  }
}

let pendingShow = 0;
function take(alert) {
  if (!state.alerts.has(alert.id)) {
    state.fresh.add(alert.id);
    setTimeout(() => state.fresh.delete(alert.id), 2500);
  }
  state.alerts.set(alert.id, alert);
  // A storm must not rebuild the list for every alert.
  if (!pendingShow) pendingShow = setTimeout(() => { pendingShow = 0; showAlerts(); }, 80);
}

function tell(text) {
  notice(text);
  $("notice").dataset.kept = "1";
  setTimeout(() => { delete $("notice").dataset.kept; notice(""); }, 10000);
}

let tries = 0;
let lastId = "";
let silence = 0;
let source = null;

function listen() {
  const resume = lastId ? `&last_event_id=${encodeURIComponent(lastId)}` : "";
  source = new EventSource(`/api/stream?type=alert${resume}`);
  state.link = "wait";
  state.wait = 0;
  showLink();
  heard();
  source.onopen = () => { state.link = "live"; showLink(); };
  source.onmessage = (message) => {
    heard();
    tries = 0;
    if (message.lastEventId) lastId = message.lastEventId;
    const envelope = JSON.parse(message.data);
    if (envelope.type === "alert") take(envelope.payload);
    if (envelope.type === "heartbeat" && (envelope.payload.lagged || envelope.payload.gap)) {
      tell(envelope.payload.lagged ? t.missed(number(envelope.payload.lagged)) : t.gap);
      readAlerts();
    }
  };
  source.onerror = () => reconnect();
}

function heard() {
  clearTimeout(silence);
  silence = setTimeout(reconnect, SILENCE_MS);
}

function reconnect() {
  clearTimeout(silence);
  source?.close();
  source = null;
  state.link = "off";
  state.wait = BACKOFF_S[Math.min(tries, BACKOFF_S.length - 1)];
  tries += 1;
  showLink();
  const countdown = setInterval(() => {
    state.wait -= 1;
    if (state.wait > 0) { showLink(); return; }
    clearInterval(countdown);
    listen();
  }, 1000);
}

$("language").addEventListener("click", () => {
  language = language === "en" ? "zh" : "en";
  t = TEXT[language];
  store.set("hanabi.language", language);
  showAll();
});
$("login").addEventListener("submit", async (event) => {
  event.preventDefault();
  const answer = await change("/api/login", { token: $("token").value });
  $("token").value = "";
  if (!answer.ok) { notice(t.loginWrong); return; }
  csrf = (await answer.json()).csrf;
  showLogin(false);
  readState().then(readAlerts);
});
$("logout").addEventListener("click", async () => {
  await change("/api/logout", {});
  location.reload();
});
document.addEventListener("visibilitychange", () => { if (!document.hidden) readState(); });

if (location.hash) state.open.add(decodeURIComponent(location.hash.slice(1)));
showAll();
readMe().then(readState).then(readAlerts).then(listen);
setInterval(readState, 2000);
