import assert from "node:assert/strict";
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { control, finding, insight, open, publish, wrong } from "./stage.mjs";

const at = (s) => new Date(Date.now() - 600_000 + s * 1000).toISOString();
const record = (run, agent, n, kind, data, s, worker) => ({ subject: `journal.${agent}.${run}`, body: { run_id: run, n, kind, worker, at: at(s), data } });
const said = (kind, body) => ({ subject: `people.${kind}.c1f09a7be2d44510`, body: { id: "c1f09a7be2d44510", at: at(60), ...body } });
const past = insight({ id: "past1", investigation_id: "inv-0", summary: "disk_used_pct was 96 % on db-1 last week", created_at: new Date(Date.now() - 5 * 86_400_000).toISOString() });

/** seed publishes a conclusion with its findings, the journals of its runs, and what people said. */
const seed = () => publish(
  finding(), finding({ id: "n-2", observation: "disk_free is 1 GB", figures: [] }), past, insight({ notification_ids: ["n-1", "n-2"] }),
  { subject: "investigations.inv-1.accepted", body: { investigation_id: "inv-1", run_id: "run-co", coordinator: "co-1", request: { reason: "db-1 is slow" }, deadline: at(900), at: at(0) } },
  { subject: "operator.completion.os.inv-1", body: { run_id: "run-os", investigation_id: "inv-1", skill: "os", targets: [{ node: "db-1", target: "host", kind: "host" }], state: "critical", outcome: "done", notification_ids: [], snapshot_ids: [], usage: {} } },
  record("run-co", "coordinator", 1, "start", { agent: "coordinator", user: "db-1 is slow" }, 0, "co-1"), record("run-co", "coordinator", 2, "claim", { worker: "co-1", attempt: 1 }, 1, "co-1"),
  ...Array.from({ length: 300 }, (_, k) => record("run-co", "coordinator", k + 3, k % 2 ? "result" : "answer", { step: k, tool: "execute", content: "row " + k }, 2 + k / 10, "co-1")),
  record("run-os", "operator", 1, "start", { agent: "operator", user: "look at db-1" }, 0, "op-1"), record("run-os", "operator", 2, "claim", { worker: "op-1", attempt: 1 }, 1, "op-1"),
  record("run-os", "operator", 3, "claim", { worker: "op-2", attempt: 2 }, 40, "op-2"), record("run-os", "operator", 4, "result", { step: 1, tool: "notify", content: "9 ms is not in the evidence", invalid: true }, 41, "op-2"),
  said("feedback", { verdict: "not_quite", comment: "it was the log", by: "ann" }), said("note", { text: "rolled back at 14:12", by: "ben" }), said("ack", { by: "cid" }),
);

test("33: the exported page shows all facts and plots without script, and the bundle opens with NATS off", async () => {
  const dir = mkdtempSync(join(tmpdir(), "export-"));
  await seed();
  const page = await open("/insights/c1f09a7be2d44510");
  await page.locator(".fact").first().waitFor();
  const save = async (name) => {
    if (!(await page.getByRole("link", { name }).isVisible())) await page.getByText("Export", { exact: true }).click();
    const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name }).click()]);
    await file.saveAs(join(dir, file.suggestedFilename()));
    return join(dir, file.suggestedFilename());
  };
  const html = await save("A page (HTML)"), markdown = await save("Postmortem (Markdown)"), json = await save("Everything (JSON)");
  assert.match(markdown, /c1f09a7be2d44510\.md$/);

  const plain = await page.context().browser().newContext({ javaScriptEnabled: false });
  const report = await plain.newPage();
  await report.goto("file://" + html);
  assert.match(await report.locator("h1").innerText(), /disk_used_pct is 97.2 % on db-1/);
  assert.equal(await report.locator(".fact").count(), 2);
  assert.equal(await report.locator(".fact svg path").count(), 2);
  assert.ok((await report.locator("svg path").first().boundingBox()).width > 300);
  assert.match(await report.locator(".hypothesis").innerText(), /^Not a fact:/);
  assert.equal(await report.locator("script").count(), 0);
  await plain.close();

  await control("/nats/stop");
  await page.goto(new URL(page.url()).origin + "/open");
  await page.getByLabel("Export (JSON)").setInputFiles(json);
  await page.getByText("This is read from a file").waitFor();
  await page.locator("#n-1 > summary").click();
  await page.locator("#n-1 .plot .line").waitFor();
  assert.equal(await page.locator(".fact").count(), 2);
  assert.equal(await page.locator(".lanes .bar").count(), 2);
  await page.getByLabel("Export (JSON)").setInputFiles(markdown);
  await page.getByText("This is no export of an insight").waitFor();
  await page.context().close();

  const there = await control("/show", readFileSync(json, "utf8"));
  await whole({ url: there.ui, token: there.token });
});

/** whole looks at all that a bundle holds, in a process that knows no NATS. */
async function whole(at) {
  const page = await open("/", { at });
  await page.waitForURL(/\/open$/);
  await page.locator(".fact").first().waitFor();
  assert.match(await page.locator("h1").innerText(), /disk_used_pct is 97.2 % on db-1/);
  assert.equal(await page.locator(".banner").allInnerTexts().then((l) => l.join()), "This is read from a file, as it was exported.");
  assert.equal(await page.locator("nav, main form, main input").count(), 0);

  assert.equal(await page.locator(".fact").count(), 2);
  await page.locator("#n-1 > summary").click();
  await page.locator("#n-1 .plot .line").waitFor();
  for (const text of ["Not quite: it was the log", "rolled back at 14:12", "cid looks after it", "disk_used_pct was 96 % on db-1 last week"]) await page.getByText(text).waitFor();

  // The runs, and their records in place.
  assert.equal(await page.locator(".lanes .bar").count(), 2);
  assert.equal(await page.locator(".bar .wait").count(), 1);
  await page.getByRole("link", { name: /refused: 9 ms/ }).waitFor();
  await page.getByRole("link", { name: "worker op-1 lost, op-2 went on" }).click();
  await page.locator("details[open]#run-os\\.3 pre").waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.parentElement.id), "run-os.3");
  assert.deepEqual((await page.locator("#run-os .steps summary").allInnerTexts()).map((s) => Number.parseInt(s)), [1, 2, 3, 4]);
  assert.equal(await page.locator("#run-os").getByText("nothing for 39.0 s").count(), 1);
  await page.reload();
  await page.locator("details[open]#run-os\\.3 pre").waitFor();
  assert.equal(await page.locator("#n-1[open] .plot .line").count(), 1);
  await page.locator("#run-co > summary").click();
  await page.locator("#run-co .step").first().waitFor();
  assert.equal(await page.locator("#run-co .steps summary").count(), 200);
  await page.getByRole("link", { name: "the 200 after" }).click();
  await page.locator("details[open]#run-co\\.201 pre").waitFor();
  assert.equal(await page.locator("#run-co .steps summary").count(), 102);

  // Nothing leads away, by a link or by a key.
  assert.deepEqual(await page.locator("main a").evaluateAll((l) => l.map((a) => a.getAttribute("href")).filter((to) => !to.startsWith("#"))), []);
  await page.locator("h1").focus();
  for (const key of ["g", "n", "]"]) await page.keyboard.press(key);
  assert.equal(new URL(page.url()).pathname, "/open");
  await page.context().close();
}

test("no page complained", () => assert.deepEqual(wrong, []));
