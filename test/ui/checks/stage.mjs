// What all checks share: a browser, the stage's controls, and messages to publish.
import { createRequire } from "node:module";
import { after, before } from "node:test";

const require = createRequire(process.env.UI_MODULES + "/x.js");
const { chromium } = require("playwright-core");
export const axe = require.resolve("axe-core/axe.min.js");

export async function control(path, body) {
  const r = await fetch(process.env.UI_CONTROL + path, { method: "POST", body: body === undefined ? "" : typeof body === "string" ? body : JSON.stringify(body) });
  if (!r.ok) throw new Error(path + ": " + (await r.text()));
  return r.json();
}

export const publish = (...messages) => control("/publish", messages);

let browser;
/** wrong are what the pages complained of: it must stay empty. */
export const wrong = [];

before(async () => {
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
});
after(() => browser?.close());

/** open returns a page, signed in, at a path of the stage's server, or of another one. */
export async function open(path, options = {}) {
  const { url, token } = options.at ?? (await control("/where"));
  const context = options.context ?? (await browser.newContext({ viewport: options.viewport ?? { width: 1100, height: 800 }, colorScheme: options.dark ? "dark" : "light", forcedColors: options.forced ? "active" : "none", timezoneId: options.zone, acceptDownloads: true }));
  const page = await context.newPage();
  page.on("pageerror", (e) => wrong.push(`${path}: ${e.message}`));
  page.on("console", (m) => /Content Security|Refused/.test(m.text()) && wrong.push(`${path}: ${m.text()}`));
  page.on("request", (r) => !r.url().startsWith(url) && !r.url().startsWith("data:") && wrong.push(`${path}: a request to ${r.url()}`));
  await page.goto(url + path.replace("#", "?") + "#token=" + token);
  await page.waitForSelector("h1");
  return page;
}

const now = () => new Date().toISOString();

export const evidence = (more = {}) => ({ address: "snap-1#disk_used_pct", node: "db-1", target: "host", name: "disk_used_pct", value: 97.2, unit: "percent", threshold: 90, baseline: 41, series: Array.from({ length: 60 }, (_, k) => ({ t: Date.now() - (60 - k) * 30_000, v: 40 + k })), ...more });

export const insight = (more = {}) => {
  const i = {
    id: "c1f09a7be2d44510", investigation_id: "inv-1", notification_ids: ["n-1"], supporting_ids: ["n-1"], correlation_type: "causal", severity: "critical",
    summary: "disk_used_pct is 97.2 % on db-1 since the backup ran", matched_observations: ["disk_used_pct is 97.2 %"], hypothesis_grounded: true, grounding: "1 node, 1 run",
    root_cause_hypothesis: "The backup keeps its files.", confidence: "high", nodes: ["db-1"], skills: ["os"], evidence: [evidence()],
    figures: [{ text: "97.2 %", value: 97.2, found: true, evidence: "snap-1#disk_used_pct" }],
    chain: [{ at: now(), node: "db-1", what: "backup started", role: "change" }, { at: now(), node: "db-1", what: "disk fills", role: "symptom", evidence: "snap-1#disk_used_pct" }],
    ruled_out: ["os.memory_used_pct is 31 % on db-1/host, below 85 %"], not_checked: ["net: no worker serves it"], trigger: "db-1 is slow", suggested_actions: ["Delete old backups."],
    created_at: now(), model: "rules (no LLM used)", usage: { input_tokens: 0, output_tokens: 0, cached_tokens: 0, llm_calls: 0, cost_usd: null }, ...more,
  };
  return { subject: `insights.${i.severity}.${i.correlation_type}.${i.investigation_id}`, body: i };
};

export const finding = (more = {}) => {
  const n = {
    id: "n-1", investigation_id: "inv-1", run_id: "run-os", operator: "os", node: "db-1", target: "host", anomaly_type: "disk", severity: "critical", context: "the disk of the database",
    observation: "disk_used_pct is 97.2 % (threshold 90 %)", snapshots: [], evidence: [evidence()], verified: true, detected_at: now(),
    figures: [{ text: "97.2 %", value: 97.2, found: true, evidence: "snap-1#disk_used_pct" }, { text: "90 %", value: 90, found: true }], ...more,
  };
  return { subject: `operator.notification.${n.operator}.${n.node}.${n.investigation_id}`, body: n };
};

export const beat = (node, more = {}) => ({ subject: "nodes." + node, body: { node, version: "v1", machine_id: "m-" + node, boot_id: "b", instance_id: "i", labels: {}, targets: [{ name: "host", kind: "host", skills: ["os"] }], skills: [], sent_at: now(), interval_ms: 3_600_000, ...more } });
