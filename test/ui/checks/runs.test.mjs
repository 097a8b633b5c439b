import assert from "node:assert/strict";
import { test } from "node:test";
import { control, finding, insight, open, publish, wrong } from "./stage.mjs";

const at = (s) => new Date(Date.now() - 600_000 + s * 1000).toISOString();
const record = (run, n, kind, data, s = n, worker = "op-1") => ({ subject: `journal.${run === "run-co" ? "coordinator" : "operator"}.${run}`, body: { run_id: run, n, kind, worker, at: at(s), data } });
const accepted = { subject: "investigations.inv-1.accepted", body: { investigation_id: "inv-1", run_id: "run-co", coordinator: "c", request: { reason: "db-1 is slow" }, deadline: at(900), at: at(0) } };
const completion = (run, outcome) => ({ subject: "operator.completion.os.inv-1", body: { run_id: run, investigation_id: "inv-1", skill: "os", targets: [{ node: "db-1", target: "host", kind: "host" }], state: "critical", outcome, notification_ids: [], snapshot_ids: [], usage: {} } });

test("11: a run that lost its worker shows both and the takeover, in the order of its journal", async () => {
  await publish(accepted, finding(), insight(), completion("run-os", "done"),
    record("run-os", 1, "start", { agent: "operator", user: "look at db-1" }), record("run-os", 2, "claim", { worker: "op-1", attempt: 1 }),
    record("run-os", 3, "answer", { step: 1, model: "m", calls: [{ id: "c", tool: "snapshot", args: "{}" }] }),
    record("run-os", 4, "claim", { worker: "op-2", attempt: 2 }, 40, "op-2"), record("run-os", 5, "result", { step: 1, tool: "notify", content: "9 ms is not in the evidence", invalid: true }, 41, "op-2"),
    record("run-os", 6, "finished", { outcome: "done" }, 42, "op-2"));
  const page = await open("/insights/c1f09a7be2d44510");
  await page.getByRole("link", { name: "worker op-1 lost, op-2 went on" }).waitFor();
  await page.getByRole("link", { name: /refused: 9 ms/ }).waitFor();
  assert.equal(await page.locator(".bar .wait").count(), 1);
  await page.getByRole("link", { name: "worker op-1 lost, op-2 went on" }).click();
  await page.waitForURL(/runs\/run-os\?from=1#4/);
  await page.locator("details[open]#\\34").waitFor(); // the record that was linked to
  const steps = await page.locator(".steps summary").allInnerTexts();
  assert.deepEqual(steps.map((s) => Number.parseInt(s)), [1, 2, 3, 4, 5, 6]);
  assert.match(steps[1], /worker op-1/);
  assert.match(steps[3], /worker op-1 was lost, op-2 went on/);
  assert.equal(await page.getByText("nothing for 37.0 s").count(), 1);
  await page.context().close();
});

test("12: a run of 5,000 records is paged: little is in the page, scrolling is smooth, pauses are one line", async (t) => {
  for (let k = 1; k <= 5000; k += 1000) await publish(...Array.from({ length: 1000 }, (_, j) => record("run-long", k + j, (k + j) % 2 ? "answer" : "result", { step: k + j, tool: "execute", content: "x".repeat(200) }, (k + j) * 20)));
  const page = await open("/runs/run-long");
  await page.locator(".steps summary").first().waitFor();
  assert.ok(await page.evaluate(() => document.querySelectorAll("*").length) < 2000);
  assert.equal(await page.locator(".pause").count(), 199);
  const frames = await page.evaluate(async () => {
    const out = [];
    let last = await new Promise(requestAnimationFrame);
    for (let k = 0; k < 60; k++) { scrollBy(0, 100); const t = await new Promise(requestAnimationFrame); out.push(t - last); last = t; }
    return out.sort((a, b) => a - b);
  });
  t.diagnostic(`scroll frames: p95 ${frames[Math.floor(frames.length * 0.95)].toFixed(0)} ms`);
  if (process.env.UI_LIMITS) assert.ok(frames[Math.floor(frames.length * 0.95)] <= 50);
  await page.getByRole("link", { name: "the 200 after" }).first().click();
  await page.waitForURL(/from=201/);
  await page.locator(".steps summary", { hasText: "201" }).first().waitFor();
  await page.goto(new URL(page.url()).origin + "/runs/run-long?from=4801#5000");
  await page.locator("details[open]#\\35 000").waitFor();
  await page.context().close();
});

test("10: plots are drawn of what the insight kept, and the timeline says since when journals are gone", async () => {
  const old = new Date(Date.now() - 9 * 86_400_000).toISOString();
  await publish(insight({ id: "old1", created_at: old }));
  for (const stream of ["FL_SNAPSHOTS", "FL_JOURNAL"]) await control("/purge", stream);
  const page = await open("/insights/old1?fact=n-1");
  await page.locator("#n-1 .plot .line").waitFor();
  const gone = new Date(Date.parse(old) + 7 * 86_400_000).toISOString().slice(0, 10);
  await page.getByText(`Journals are kept for 7 days: gone since ${gone}`).first().waitFor();
  await control("/purge", "FL_FINDINGS");
  await page.reload();
  await page.getByText("1 finding behind it is not kept any more").waitFor();
  await page.locator(".evidence[open] .plot .line").waitFor();
  await page.goto(new URL(page.url()).origin + "/evidence?address=snap-1%23disk_used_pct");
  await page.locator(".plot .line").waitFor();
  await page.context().close();
});

test("no page complained", () => assert.deepEqual(wrong, []));
