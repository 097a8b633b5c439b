// Pictures of all pages, for people to look at what no rule sees.
import { mkdirSync } from "node:fs";
import { test } from "node:test";
import { beat, control, evidence, finding, insight, open, publish } from "./stage.mjs";

const now = Date.now(), at = (s) => new Date(now + s * 1000).toISOString();
const series = (from, to, turn = 40) => Array.from({ length: 60 }, (_, k) => ({ t: now - (60 - k) * 30_000, v: k < turn ? from + (k % 3) : Math.min(to, from + (k - turn) * ((to - from) / 6)) }));
const used = evidence({ address: "9f3c21a0b7d1e655#connections_used", node: "db-3", target: "pg-main", name: "connections_used", value: 500, unit: "count", threshold: 475, baseline: 118, series: series(116, 500) });
const wait = evidence({ address: "41bb7c90aa11d2f3#pool_wait_p95_ms", node: "web-17", target: "checkout", name: "pool_wait_p95_ms", value: 3902, unit: "milliseconds", threshold: 250, baseline: 2, series: series(2, 3902, 46) });
const name = (k) => "web-" + String(k).padStart(3, "0");
const state = { critical: Array.from({ length: 12 }, (_, k) => name(k)) };
const record = (run, agent, n, kind, s, data = {}, worker = "op-2") => ({ subject: `journal.${agent}.${run}`, body: { run_id: run, n, kind, worker, at: at(s), data } });
const completion = (run, skill, node, outcome = "done") => ({ subject: `operator.completion.${skill}.inv-1`, body: { run_id: run, investigation_id: "inv-1", skill, targets: [{ node, target: "host", kind: "host" }], state: "critical", outcome, notification_ids: [], snapshot_ids: [], usage: {} } });

async function seed() {
  await publish(
    finding({ id: "n-77a1", operator: "postgres", node: "db-3", target: "pg-main", context: "connections of the database", observation: "connections_used is 500 of 500 on pg-main, usually 118", evidence: [used], since: at(-300), run_id: "run-pg", figures: [{ text: "500", value: 500, found: true, evidence: used.address }, { text: "500", value: 500, found: true }, { text: "118", value: 118, found: true }] }),
    finding({ id: "n-90c4", operator: "runtime", node: "web-17", target: "checkout", context: "waiting for a connection", observation: "pool_wait_p95_ms is 3,902 ms on checkout, usually 2 ms", evidence: [wait], run_id: "run-rt", figures: [{ text: "3,902 ms", value: 3902, found: true, evidence: wait.address }, { text: "2 ms", value: 2, found: true }] }),
    finding({ id: "n-1d05", operator: "os", node: "db-3", target: "host", severity: "warning", verified: false, context: "the disk of the database", observation: "disk latency rose to 9 ms", evidence: [], figures: [{ text: "9 ms", value: 9, found: false, nearest: "1.1 ms at 77d0#disk_await_ms" }] }),
    insight({
      id: "c1f09a7be2d44510", summary: "Checkout is slow because PostgreSQL on db-3 uses 500 of 500 connections since the deploy of 2026.11.21-3", notification_ids: ["n-77a1", "n-90c4", "n-1d05"], supporting_ids: ["n-77a1", "n-90c4"], nodes: ["db-3", ...state.critical], skills: ["postgres", "runtime"],
      grounding: "2 nodes, 2 runs", root_cause_hypothesis: "The deploy raised the pool of checkout from 20 to 80 on 12 hosts: 960 connections where 500 are allowed.", evidence: [used, wait], figures: [{ text: "500 of 500", value: 500, found: true, evidence: used.address }],
      chain: [{ at: at(-420), node: "web-000 and 11 more", what: "deploy of checkout 2026.11.21-3", role: "change" }, { at: at(-380), node: "web-000 and 11 more", what: "pool_size went from 20 to 80", role: "effect" }, { at: at(-355), node: "db-3", what: "500 of 500 connections are used", role: "effect", evidence: used.address }, { at: at(-340), node: "web-17", what: "waiting for a connection takes 3,902 ms", role: "symptom", evidence: wait.address }],
      ruled_out: ["os.cpu_used_pct is 41 % on db-3, below 85 %", "postgres.locks_waiting is 0 on db-3", "runtime.gc_pause_p95_ms is 0.6 ms"], not_checked: ["network between zones: no worker serves net"], trigger: "checkout is slow since noon",
      suggested_actions: ["Roll back checkout 2026.11.21-3, or set its pool to 20 a host."], model: "haiku-4.5", usage: { input_tokens: 4211, output_tokens: 601, cached_tokens: 0, llm_calls: 6, cost_usd: 0.006 },
    }),
    insight({ id: "i-2", investigation_id: "inv-2", severity: "warning", summary: "/var is 91 % full on log-2 and grows by 2 % an hour", nodes: ["log-2"], notification_ids: [], figures: [] }),
    insight({ id: "i-3", investigation_id: "inv-3", severity: "info", correlation_type: "none", summary: "Nothing is wrong on 40 nodes with role=web", nodes: state.critical, notification_ids: [], figures: [] }),
    ...Array.from({ length: 400 }, (_, k) => beat(name(k), { labels: { app: k < 12 || k % 5 === 0 ? "checkout" : "search", version: k < 12 ? "2026.11.21-3" : "2026.11.20-1", zone: "abc"[k % 3] } })),
    beat("db-3", { labels: { role: "db" }, targets: [{ name: "host", kind: "host", skills: ["os"] }, { name: "pg-main", kind: "postgres", skills: ["postgres"] }] }), beat("log-2", { labels: { role: "log" } }),
    { subject: "snapshots.db-3.pg-main.postgres", body: { id: "9f3c21a0b7d1e655", node: "db-3", target: "pg-main", kind: "postgres", skill: "postgres", captured_at: at(-5), data: { connections_used: 500, connections_max: 500, locks_waiting: 0, replication_lag_seconds: 0.2, version: "17.2" } } },
    { subject: "snapshots.db-3.host.os", body: { id: "aa01", node: "db-3", target: "host", kind: "host", skill: "os", captured_at: at(-4), errors: ["io of other users: permission denied, needs CAP_DAC_READ_SEARCH"], data: { cpu_used_pct: 41.3, memory_used_pct: 63, load1: 5.2, disk_used_pct: 71 } } },
    { subject: "anomalies.db-3.pg-main.postgres", body: { id: "a-1", node: "db-3", target: "pg-main", kind: "postgres", skill: "postgres", metric: "connections_used", value: 500, baseline: 118, score: 95, severity: "critical", since: at(-355), detected_at: at(-340), series: series(116, 500) } },
    ...Array.from({ length: 400 }, (_, k) => ({ subject: `snapshots.${name(k)}.host.os`, body: { id: "os-" + k, node: name(k), target: "host", kind: "host", skill: "os", captured_at: at(-4), data: { cpu_used_pct: 20 + (k % 40), memory_used_pct: 50 + (k % 3), load1: 1 + (k % 40) / 10, kernel: k ? "6.12.1" : "6.11.9", pool_wait_p95_ms: k < 12 ? 3902 - k : 2 } } })),
    ...state.critical.map((node, k) => ({ subject: `anomalies.${node}.host.os`, body: { id: "a-os-" + k, node, target: "host", kind: "host", skill: "os", metric: "pool_wait_p95_ms", unit: "milliseconds", value: 3902 - k, baseline: 2, score: 90, severity: "critical", since: at(-300), detected_at: at(-290) } })),
    { subject: "changes.db-3.config", body: { id: "ch-1", node: "db-3", source: "config", what: "configuration", text: "postgresql.conf: work_mem 4MB → 8MB", at: at(-86_000) } },
    { subject: "links.db-3", body: { node: "db-3", addresses: ["10.0.0.3"], listens: [{ port: 5432, process: "postgres" }], peers: [], at: at(-5) } },
    { subject: "links.log-2", body: { node: "log-2", addresses: ["10.0.0.9"], listens: [{ port: 5044 }], peers: [{ address: "192.0.2.7", port: 443, connections: 2 }], at: at(-5) } },
    ...Array.from({ length: 6 }, (_, k) => ({ subject: "links." + name(k), body: { node: name(k), addresses: ["10.0.1." + k], listens: [], peers: [{ address: "10.0.0.3", port: 5432, connections: 80 }, { address: "10.0.0.9", port: 5044, connections: 1 }], at: at(-5) } })),
    ...[["inv-1", "checkout is slow since noon", -20, "done"], ["inv-2", "is log-2 healthy?", -3600, "done"], ["inv-4", "why do queries of search take so long?", -30, ""]].flatMap(([id, reason, s, end]) => [
      { subject: `investigations.${id}.accepted`, body: { investigation_id: id, run_id: "run-co-" + id, coordinator: "co-1", request: { reason }, deadline: at(s + 300), at: at(s) } },
      { subject: `investigations.${id}.progress`, body: { investigation_id: id, run_id: "run-co-" + id, agent: "coordinator", step: 1, text: "asked postgres, runtime and os", at: at(s + 2) } },
      ...(end ? [{ subject: `investigations.${id}.finished`, body: { investigation_id: id, state: end, insights: [], operator_results: [], usage: { input_tokens: 4211, output_tokens: 601, cached_tokens: 0, llm_calls: 6, cost_usd: 0.006 }, started_at: at(s), ended_at: at(s + 8) } }] : []),
    ]),
    completion("run-pg", "postgres", "db-3"), completion("run-rt", "runtime", "web-17"), completion("run-os", "os", "db-3", "failed"),
    ...[["start", 0], ["claim", 0.1], ["answer", 1.2], ["result", 6.5, { tool: "wait" }], ["answer", 7.6], ["finished", 8, { outcome: "done" }]].map(([kind, s, data], k) => record("run-co-inv-1", "coordinator", k + 1, kind, s - 20, { worker: "co-1", attempt: 1, ...data }, "co-1")),
    ...[["start", 1.3], ["claim", 1.4, {}, "op-1"], ["answer", 2, { model: "haiku-4.5", calls: [{ tool: "snapshot", args: "{}" }] }, "op-1"], ["claim", 4.1, { worker: "op-2", attempt: 2 }], ["result", 4.3, { tool: "snapshot", content: "connections_used 500" }], ["answer", 5.4, { model: "haiku-4.5", calls: [{ tool: "notify", args: '{"observation":"connections_used is 500 of 500"}' }] }], ["result", 5.5, { tool: "notify", content: "n-77a1" }], ["finished", 5.6, { outcome: "done" }]].map(([kind, s, data, w], k) => record("run-pg", "operator", k + 1, kind, s - 20, { worker: w ?? "op-2", attempt: 1, ...data }, w)),
    ...[["start", 1.3], ["claim", 1.5], ["answer", 3], ["result", 3.1, { tool: "notify", content: "n-90c4" }], ["finished", 3.4, { outcome: "done" }]].map(([kind, s, data], k) => record("run-rt", "operator", k + 1, kind, s - 20, { worker: "op-2", attempt: 1, ...data })),
    ...[["start", 1.3], ["claim", 1.6], ["answer", 2.8], ["result", 2.9, { tool: "notify", invalid: true, content: '"9 ms" is not in the evidence; the nearest is 1.1 ms' }], ["finished", 3.9, { outcome: "failed", error: "the step limit" }]].map(([kind, s, data], k) => record("run-os", "operator", k + 1, kind, s - 20, { worker: "op-3", attempt: 1, ...data }, "op-3")),
    { subject: "people.note.c1f09a7be2d44510", body: { id: "c1f09a7be2d44510", text: "rolled back at 14:12", by: "the night shift", at: at(-1) } },
    { subject: "people.silence.s-1", body: { id: "s-1", labels: { role: "log" }, skills: ["os"], reason: "new disks are put in", by: "the night shift", at: at(-600), until: at(6600) } },
    { subject: "deadletters.FL_WORK", body: { stream: "FL_WORK", subject: "operator.task.os", reason: "it cannot be decoded: unexpected end of JSON input", by: "op-1", sequence: 7, at: at(-900), body: "" } },
  );
}

const pages = { insights: "/insights", insight: "/insights/c1f09a7be2d44510?fact=n-77a1", investigations: "/investigations", investigation: "/investigations/inv-1", run: "/runs/run-pg", fleet: "/nodes", node: "/nodes/db-3?open=pg-main%2Fpostgres", compare: "/nodes/web-000?with=web-030", map: "/map", radius: "/map?insight=c1f09a7be2d44510", silences: "/silences?insight=c1f09a7be2d44510", ask: "/ask?reason=checkout%20is%20slow", system: "/system" };

test("pictures", async () => {
  await seed();
  await control("/serve", { subject: "probe.db-3.words", answer: { skill: "postgres", kind: "postgres", title: "PostgreSQL", summary: "", prompt: "", metrics: [["connections_used", "count", "gauge"], ["connections_max", "count", "info"], ["locks_waiting", "count", "gauge"], ["replication_lag_seconds", "seconds", "gauge"], ["version", "text", "info"]].map(([name, unit, kind]) => ({ name, unit, kind, doc: "" })), checks: [{ metric: "connections_used", op: "above", warn: 400, critical: 475, says: "" }, { metric: "replication_lag_seconds", op: "above", warn: 30, says: "" }] } });
  mkdirSync(process.env.UI_OUT, { recursive: true });
  const first = await open("/insights"), { ui, token } = await control("/show", await first.evaluate(async () => (await fetch("/api/v1/insights/c1f09a7be2d44510/bundle")).text()));
  for (const dark of [false, true])
    for (const width of [1100, 320]) {
      const page = await open("/insights", { dark, viewport: { width, height: width === 320 ? 640 : 900 } });
      const base = new URL(page.url()).origin;
      for (const [name, path] of Object.entries(pages)) {
        await page.goto(base + path);
        await page.waitForFunction(() => document.querySelector("h1") && !document.querySelector(".loading"));
        await page.waitForTimeout(400);
        const clip = name === "fleet" && width > 320 ? { clip: { x: 0, y: 0, width, height: 900 } } : {};
        await page.screenshot({ ...clip, path: `${process.env.UI_OUT}/${name}-${dark ? "dark" : "light"}${width === 320 ? "-320" : ""}.png`, fullPage: name !== "fleet" && !(name === "insight" && width > 320) });
        if (name === "insight") await page.screenshot({ path: `${process.env.UI_OUT}/insight-whole-${dark ? "dark" : "light"}${width === 320 ? "-320" : ""}.png`, fullPage: true });
      }
      await page.context().close();
      const exported = await open("/open?fact=n-77a1&open=run-pg,run-pg.4", { dark, viewport: { width, height: width === 320 ? 640 : 900 }, at: { url: ui, token } });
      await exported.locator("[id='run-pg.4'] pre").waitFor();
      await exported.screenshot({ path: `${process.env.UI_OUT}/open-${dark ? "dark" : "light"}${width === 320 ? "-320" : ""}.png`, fullPage: true });
      await exported.context().close();
    }
});
