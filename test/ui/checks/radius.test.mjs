import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { beat, control, insight, open, publish, wrong } from "./stage.mjs";

const name = (k) => "web-" + String(k).padStart(2, "0"), at = (minutes) => new Date(Date.now() - minutes * 60_000).toISOString();
const links = (node, address, peers, minutes = 1) => ({ subject: "links." + node, body: { node, addresses: [address], listens: [{ port: 5432, process: "postgres" }], peers: peers.map((a) => ({ address: a, port: 5432, connections: 3 })), at: at(minutes) } });

/** fleet is 12 hosts of a bad version among 90 that all talk to a database, which talks to one host. */
const fleet = () => publish(
  ...Array.from({ length: 90 }, (_, k) => beat(name(k), { labels: { app: "checkout", version: k < 12 ? "2026.11.21-3" : "2026.11.20-1" } })), ...Array.from({ length: 90 }, (_, k) => links(name(k), "10.0.1." + k, ["10.0.0.1"])),
  beat("db-1", { labels: { role: "db" }, interval_ms: 1 }), links("db-1", "10.0.0.1", ["10.0.0.2"]), beat("disk-1"), links("disk-1", "10.0.0.2", ["192.0.2.9"], 150),
  insight({ nodes: ["db-1", "gone-1", ...Array.from({ length: 12 }, (_, k) => name(k))], notification_ids: [] }),
  insight({ id: "few", investigation_id: "inv-2", nodes: ["disk-1"], notification_ids: [] }),
);

test("the radius counts what is hit by the label that tells it apart, and draws it in few boxes", async () => {
  await fleet();
  const page = await open("/insights/c1f09a7be2d44510");
  const radius = page.getByRole("region", { name: "Blast radius" });
  await radius.getByText("12 of 12 with version=2026.11.21-3").waitFor();
  const text = await radius.innerText();
  for (const want of ["1 of 80 others", "silent: 1 of them, db-1", "1 of them, of which no probe reports: gone-1", "14 nodes: db-1 gone-1 web-00"]) assert.ok(text.includes(want), `${want}: ${text}`);
  assert.deepEqual(await radius.locator("svg.map rect").count(), 5);
  assert.deepEqual((await radius.locator("svg.map .lit text:first-of-type").allTextContents()).map((t) => t.slice(0, 10)), ["▲ version=", "▲ db-1", "▲ gone-1"]);
  assert.equal(await radius.locator("svg.map .edge").count(), 3);
  const size = await radius.locator("svg.map text").first().evaluate((e) => e.getBoundingClientRect().height);
  assert.ok(size >= 12, `text of ${size} px`);
  await radius.getByText("as a table").click();
  await page.waitForURL(/open=connections/);
  const rows = () => radius.locator("table tbody tr").evaluateAll((l) => l.map((r) => [...r.cells].map((c) => c.textContent)));
  assert.deepEqual(await rows(), [["version=2026.11.20-1 (78 nodes)", "db-1", "234"], ["version=2026.11.21-3 (12 nodes)", "db-1", "36"], ["db-1", "disk-1", "3"]]);
  await page.reload();
  await radius.locator("details[open] table").waitFor();
  await page.context().close();
});

test("at 320 px the radius is a list alone", async () => {
  const page = await open("/insights/c1f09a7be2d44510", { viewport: { width: 320, height: 640 } });
  const radius = page.getByRole("region", { name: "Blast radius" });
  await radius.getByText("12 of 12 with version=2026.11.21-3").waitFor();
  assert.equal(await radius.locator("svg.map").isVisible(), false);
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth));
  await page.context().close();
});

test("what is hit is lit on the map, by a shape and a word, and links of hours ago are said to be old", async () => {
  const page = await open("/insights/few");
  await page.getByRole("link", { name: "Show it on the map" }).click();
  await page.waitForURL(/\/map\?insight=few/);
  const table = page.getByRole("region", { name: "Connections", exact: true });
  await table.getByText("▲ affected").first().waitFor();
  const rows = (await table.locator("tbody tr").evaluateAll((l) => l.map((r) => [...r.cells].map((c) => c.textContent)))).sort();
  assert.deepEqual(rows, [["db-1", "▲ affected disk-1", "5432", "3", "1 min ago"], ["▲ affected disk-1", "192.0.2.9", "5432", "3", "old: 3 h ago"]]);
  assert.deepEqual(await page.locator("svg.map .lit text").allTextContents(), ["▲ disk-1"]);
  assert.deepEqual(await page.locator("svg.map .edge").evaluateAll((l) => l.map((e) => e.getAttribute("class").split(/\s+/).filter(Boolean).sort().join(" "))), ["edge", "edge old out"]);
  // Where there are too many to tell apart, those of one kind are in one box.
  await page.goto(new URL(page.url()).origin + "/map?insight=c1f09a7be2d44510");
  await page.locator("svg.map .lit").first().waitFor();
  assert.equal(await page.locator("svg.map rect").count(), 5);
  await page.getByRole("link", { name: "Show all" }).click();
  await page.waitForFunction(() => !document.querySelector("svg.map") && document.querySelectorAll("tbody tr").length === 92);
  await page.context().close();
});

test("an export brings its radius along", async () => {
  const page = await open("/insights/c1f09a7be2d44510");
  await page.getByText("Export", { exact: true }).click();
  const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "Everything (JSON)" }).click()]);
  const bundle = readFileSync(await file.path());
  await control("/nats/stop");
  await page.goto(new URL(page.url()).origin + "/open");
  await page.getByLabel("Export (JSON)").setInputFiles({ name: "i.json", mimeType: "application/json", buffer: bundle });
  const radius = page.getByRole("region", { name: "Blast radius" });
  await radius.getByText("12 of 12 with version=2026.11.21-3").waitFor();
  assert.equal(await radius.locator("svg.map rect").count(), 5);
  await control("/nats/start");
  await page.context().close();
});

test("no page complained", () => assert.deepEqual(wrong, []));
