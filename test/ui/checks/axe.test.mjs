import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { axe, beat, control, finding, insight, open, publish } from "./stage.mjs";

const script = readFileSync(axe, "utf8");
const screens = ["/insights", "/insights/c1f09a7be2d44510", "/investigations", "/investigations/inv-1", "/runs/run-os", "/nodes", "/nodes?group=role", "/nodes/db-1", "/nodes/db-1?open=host%2Fos", "/nodes/db-1?with=web-1", "/map", "/map?insight=c1f09a7be2d44510", "/ask", "/system", "/silences", "/evidence?address=snap-1%23disk_used_pct"];
// The dark look differs in its colours alone.
const rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
const looks = { light: { rules }, dark: { dark: true, rules: ["color-contrast"] }, small: { viewport: { width: 320, height: 640 }, rules } };

/** violations runs axe on a page. The content security policy lets no script in by a tag, so it is evaluated. */
async function violations(page, rules) {
  if (!(await page.evaluate(() => !!window.axe))) await page.evaluate(script);
  return page.evaluate(async (rules) => (await axe.run(document, { runOnly: rules, resultTypes: ["violations"] })).violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html.slice(0, 120)).join(" | ")}`), rules);
}

/** overflow says which elements stick out of a page that must not scroll sideways. */
const overflow = (page) => page.evaluate(() => {
  const w = document.documentElement.clientWidth;
  return document.documentElement.scrollWidth <= w ? [] : [...document.querySelectorAll("main *, header *")].filter((e) => e.getBoundingClientRect().right > w + 1 && !e.closest(".scroll, .window, pre")).map((e) => e.outerHTML.slice(0, 100)).slice(0, 5);
});

/** full are the messages of pages that have something of everything. */
const full = () => {
  const now = new Date().toISOString();
  return [
    beat("db-1", { labels: { role: "db" } }), ...Array.from({ length: 40 }, (_, k) => beat("web-" + k, { labels: { role: "web" } })),
    { subject: "snapshots.db-1.host.os", body: { id: "snap-1", node: "db-1", target: "host", kind: "host", skill: "os", captured_at: now, data: { disk_used_pct: 97.2, note: "a".repeat(120) } } },
    { subject: "snapshots.web-1.host.os", body: { id: "snap-2", node: "web-1", target: "host", kind: "host", skill: "os", captured_at: now, errors: ["io of other users: permission denied"], data: { disk_used_pct: 12, note: "b".repeat(120) } } },
    { subject: "anomalies.db-1.host.os", body: { id: "a-1", node: "db-1", target: "host", kind: "host", skill: "os", metric: "disk_used_pct", value: 97, baseline: 40, score: 12, severity: "warning", since: now, detected_at: now, series: [{ t: 1, v: 2 }, { t: 2, v: 3 }] } },
    { subject: "changes.db-1.ci", body: { id: "ch-1", node: "db-1", source: "ci", what: "deploy", text: "backup v2", at: now } },
    { subject: "links.web-1", body: { node: "web-1", addresses: ["10.0.0.1"], listens: [], peers: [{ address: "10.0.0.2", port: 5432, connections: 3 }], at: now } },
    { subject: "links.db-1", body: { node: "db-1", addresses: ["10.0.0.2"], listens: [{ port: 5432 }], peers: [], at: now } },
    { subject: "people.silence.s-1", body: { id: "s-1", nodes: ["db-1"], labels: { role: "db" }, skills: ["os"], reason: "move to new disks", by: "ann", at: now, until: new Date(Date.now() + 3_600_000).toISOString() } },
    { subject: "investigations.inv-1.accepted", body: { investigation_id: "inv-1", run_id: "run-co", coordinator: "c", request: { reason: "db-1 is slow" }, deadline: now, at: now } },
    { subject: "operator.completion.os.inv-1", body: { run_id: "run-os", investigation_id: "inv-1", skill: "os", targets: [{ node: "db-1", target: "host", kind: "host" }], state: "critical", outcome: "done", notification_ids: [], snapshot_ids: [], usage: {} } },
    ...["start", "claim", "answer", "result", "finished"].map((kind, k) => ({ subject: "journal.operator.run-os", body: { run_id: "run-os", n: k + 1, kind, worker: "op-1", at: now, data: { text: "x", tool: "notify", content: "done", worker: "op-1", attempt: 1, outcome: "done" } } })),
  ];
};

/** overlaps says which texts are drawn over others. */
const overlaps = (page) => page.evaluate(() => {
  const boxes = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let n = walk.nextNode(); n; n = walk.nextNode()) {
    const e = n.parentElement;
    if (!n.data.trim() || !e.checkVisibility() || e.closest("svg, .visually-hidden, .skip, .window, .scroll, dialog, select, .menu ul")) continue;
    const r = document.createRange();
    r.selectNodeContents(n);
    for (const b of r.getClientRects()) if (b.width > 1 && b.height > 1) boxes.push([n.data.trim().slice(0, 40), b, e]);
  }
  const out = [];
  boxes.forEach(([a, p, e], k) => boxes.slice(k + 1).forEach(([b, q, f]) => {
    const w = Math.min(p.right, q.right) - Math.max(p.left, q.left), h = Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top);
    if (w > 2 && h > 0.4 * Math.min(p.height, q.height) && e !== f) out.push(`"${a}" and "${b}"`);
  }));
  return out.slice(0, 5);
});

/** small are the targets below 24 px that do not stand in a line of text. */
const small = (page) => page.evaluate(() => [...document.querySelectorAll("button, summary, select, input, nav a, .title, .window a")].filter((e) => e.checkVisibility() && !e.closest(".visually-hidden")).map((e) => [e, e.getBoundingClientRect()]).filter(([, b]) => b.width && (b.height < 23.5 || b.width < 23.5)).map(([e, b]) => `${e.outerHTML.slice(0, 80)} ${Math.round(b.width)}×${Math.round(b.height)}`).slice(0, 5));

async function look(state) {
  const found = [];
  for (const [name, options] of Object.entries(looks)) {
    const page = await open("/insights", options);
    for (const path of screens) {
      // As a link does it, without loading all anew; two frames later the page has changed.
      await page.evaluate((path) => new Promise((done) => { history.pushState(null, "", path); dispatchEvent(new PopStateEvent("popstate")); requestAnimationFrame(() => requestAnimationFrame(done)); }), path);
      await page.waitForFunction(() => document.querySelector("h1") && !document.querySelector(".loading"));
      for (const v of await violations(page, options.rules)) found.push(`${state} ${name} ${path}: ${v}`);
      if (name === "small") for (const e of await overflow(page)) found.push(`${state} ${name} ${path}: sticks out: ${e}`);
    }
    await page.context().close();
  }
  return found;
}

test("25: axe finds nothing on empty pages", async () => assert.deepEqual(await look("empty"), []));

test("25, 27: axe finds nothing on an exported insight with all of it open, and nothing sticks out or lies over another", async () => {
  await publish(finding(), insight({ notification_ids: ["n-1"] }), ...full());
  const page = await open("/insights/c1f09a7be2d44510"), found = [];
  const { ui, token } = await control("/show", await page.evaluate(async () => (await fetch("/api/v1/insights/c1f09a7be2d44510/bundle")).text()));
  await page.context().close();
  for (const [name, options] of Object.entries(looks)) {
    const page = await open("/open?fact=n-1&open=all,run-os,run-os.2", { ...options, at: { url: ui, token } });
    await page.locator("[id='run-os.2'] pre").waitFor();
    for (const v of await violations(page, options.rules)) found.push(`${name}: ${v}`);
    if (name === "small") for (const check of [overlaps, small, overflow]) for (const o of await check(page)) found.push(`${check.name}: ${o}`);
    await page.context().close();
  }
  assert.deepEqual(found, []);
});

test("25, 27: axe finds nothing on full pages, and at 320 px nothing sticks out", async () => {
  await publish(
    finding(), insight(), insight({ id: "none1", investigation_id: "inv-n", correlation_type: "none", severity: "info", summary: "Nothing is wrong on web-1" }),
    ...full(),
  );
  assert.deepEqual(await look("full"), []);
});

test("27: at 320 px and at 200 % no text lies over another, nothing sticks out, and targets are large enough", async () => {
  await publish(finding(), insight({ notification_ids: ["n-1"] }), ...full());
  const found = [];
  for (const viewport of [{ width: 320, height: 640 }, { width: 640, height: 400 }]) { // 1280 × 800 at 200 %
    const page = await open("/insights", { viewport });
    for (const path of screens) {
      await page.goto(new URL(page.url()).origin + path + (path.includes("c1f09a") ? "?fact=n-1" : ""));
      await page.waitForFunction(() => document.querySelector("h1") && !document.querySelector(".loading"));
      for (const check of [overlaps, small, overflow]) for (const o of await check(page)) found.push(`${viewport.width} ${path}: ${check.name}: ${o}`);
    }
    await page.context().close();
  }
  assert.deepEqual(found, []);
});

test("25: axe finds nothing on pages that cannot read", async () => {
  await control("/nats/stop");
  const found = await look("error");
  await control("/nats/start");
  assert.deepEqual(found, []);
});
