import assert from "node:assert/strict";
import { test } from "node:test";
import { beat, control, insight, open, publish, wrong } from "./stage.mjs";

const stored = () => control("/messages", "FL_PEOPLE people.silence.*");

test("a silence is made once by a double click, listed with what it is of, and ended", async () => {
  await publish(...["db-1", "db-2"].map((n) => beat(n, { labels: { role: "db" } })), beat("web-1"), insight({ nodes: ["db-1", "db-2"], skills: ["os", "postgres"], notification_ids: [] }));
  const page = await open("/insights/c1f09a7be2d44510");
  page.on("dialog", (d) => d.accept("ann"));
  await page.getByRole("link", { name: "Silence", exact: true }).click();
  await page.waitForURL(/\/silences\?insight=c1f09a7be2d44510/);
  await page.getByText("Nothing is silenced.").waitFor();
  await page.getByText("2 of 3 nodes match.").waitFor();
  assert.equal(await page.getByLabel("Nodes", { exact: true }).inputValue(), "db-1 db-2");
  assert.equal(await page.getByLabel("Skills").inputValue(), "os postgres");
  await page.getByLabel("Only nodes with").fill("role=web");
  await page.getByText("0 of 3 nodes match.").waitFor();
  await page.getByLabel("Only nodes with").fill("role=db");
  await page.getByText("2 of 3 nodes match.").waitFor();
  const make = page.getByRole("button", { name: "Silence", exact: true });
  assert.ok(await make.isDisabled(), "without a reason");
  await page.getByLabel("Why").fill("move to new disks");
  await page.getByRole("combobox").selectOption("4 hours");
  await make.dblclick();
  const row = page.locator(".silences .row");
  await row.getByText("nodes db-1, db-2 and nodes with role=db and skills os, postgres").waitFor();
  assert.equal(await row.count(), 1);
  const text = await row.innerText();
  for (const want of ["move to new disks", "by ann", "kept nothing out yet"]) assert.ok(text.includes(want), text);
  const [one, ...more] = await stored();
  assert.deepEqual(more, []);
  assert.deepEqual([one.nodes, one.labels, one.skills, one.reason, one.by], [["db-1", "db-2"], { role: "db" }, ["os", "postgres"], "move to new disks", "ann"]);
  assert.ok(Math.abs(Date.parse(one.until) - Date.parse(one.at) - 4 * 3_600_000) < 60_000, one.until);

  await row.getByRole("button", { name: "End" }).dblclick();
  await page.getByText("Nothing is silenced.").waitFor();
  const all = await stored();
  assert.equal(all.length, 2);
  assert.deepEqual({ ...all[1], until: one.until, at: one.at }, one);
  assert.ok(Date.parse(all[1].until) <= Date.now());
  // Another person sees what is made elsewhere without asking again, and everything must be named.
  await publish({ subject: "people.silence.s-2", body: { id: "s-2", skills: ["ports"], reason: "load test", by: "bob", at: new Date().toISOString(), until: new Date(Date.now() + 60_000).toISOString() } });
  await page.getByText("skills ports").waitFor();
  await page.goto(new URL(page.url()).origin + "/silences");
  await page.getByText("Name nodes, labels or skills.").waitFor();
  await page.getByLabel("Why").fill("no reason");
  assert.ok(await page.getByRole("button", { name: "Silence", exact: true }).isDisabled(), "of nothing");
  await page.context().close();
});

test("silences are reached from the insights and from the system's page", async () => {
  for (const from of ["/insights", "/system"]) {
    const page = await open(from);
    await page.getByRole("link", { name: "Silences" }).click();
    await page.getByRole("heading", { level: 1, name: "Silences" }).waitFor();
    await page.context().close();
  }
});

test("a viewer can neither make one nor end one, and is told which role may", async () => {
  await control("/viewer");
  const page = await open("/silences");
  await page.getByRole("button", { name: "Silence", exact: true }).waitFor();
  assert.equal(await page.locator("main button:enabled, main input:enabled, main select:enabled").count(), 0);
  assert.match(await page.locator("form.ask").innerText(), /needs the role client/);
  await page.context().close();
});

test("no page complained", () => assert.deepEqual(wrong, []));
