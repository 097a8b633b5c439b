import assert from "node:assert/strict";
import { test } from "node:test";
import { control, insight, open, publish, wrong } from "./stage.mjs";

test("22: with a viewer's credentials nothing can be written, each place says which role may, and no consumer is made", async () => {
  await control("/viewer");
  const now = new Date().toISOString();
  await publish(insight({ notification_ids: [] }), { subject: "investigations.inv-1.accepted", body: { investigation_id: "inv-1", run_id: "run-co", coordinator: "c", request: { reason: "db-1 is slow" }, deadline: now, at: now } });
  const before = await control("/consumers");
  const page = await open("/insights");
  const base = new URL(page.url()).origin;
  const controls = { "/insights/c1f09a7be2d44510": 7, "/investigations/inv-1": 2, "/ask": 1, "/silences": 1 };
  for (const path of ["/insights", "/insights/c1f09a7be2d44510", "/investigations", "/investigations/inv-1", "/nodes", "/map", "/ask", "/system", "/silences"]) {
    await page.goto(base + path);
    await page.waitForFunction(() => document.querySelector("h1") && !document.querySelector(".loading"));
    if (controls[path]) await page.getByText("needs the role client").first().waitFor(); // it is asked meanwhile
    // What writes is marked so by where it is: forms that are not a filter, and actions of the head.
    const found = await page.evaluate(() => [...document.querySelectorAll("main form:not([role=search], .filters) button, .actions button:not(.copy)")].filter((b) => !b.closest("dialog")).map((b) => {
      const at = b.closest("form, .actions");
      return { name: b.textContent, enabled: !b.disabled, told: /needs the role client/.test(at.textContent) };
    }));
    assert.equal(found.length, controls[path] ?? 0, `${path}: ${JSON.stringify(found)}`);
    for (const c of found) assert.ok(!c.enabled && c.told, `${path}: ${JSON.stringify(c)}`);
    assert.equal(await page.locator("form:not([role=search], .filters) input:enabled").count(), 0, path);
  }
  assert.equal(await control("/consumers"), before);
  await page.context().close();
});

test("no page complained", () => assert.deepEqual(wrong, []));
