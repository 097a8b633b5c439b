import assert from "node:assert/strict";
import { test } from "node:test";
import { beat, control, insight, open, publish, wrong } from "./stage.mjs";

const one = (k) => insight({ id: "i-" + k, investigation_id: "inv-" + k, summary: "insight number " + k, notification_ids: [], figures: [] });

test("19: twelve tabs are live within two seconds, and the server has one connection of them", async () => {
  await publish(one("first"));
  const first = await open("/insights"), context = first.context(), pages = [first];
  for (let k = 1; k < 12; k++) pages.push(await context.newPage());
  await Promise.all(pages.slice(1).map((p) => p.goto(first.url())));
  await Promise.all(pages.map((p) => p.getByText("insight number first").waitFor()));
  const read = () => first.evaluate(async () => (await (await fetch("/api/v1/system")).json()).listeners);
  assert.equal(await read(), 1);
  await publish(one("live"));
  await Promise.all(pages.map((p) => p.getByRole("button", { name: "1 new" }).waitFor({ timeout: 2000 })));
  await pages[11].close(); // the others go on
  await publish(one("later"));
  await Promise.all(pages.slice(0, 11).map((p) => p.getByRole("button", { name: "2 new" }).waitFor({ timeout: 2000 })));
  assert.equal(await read(), 1);
  await context.close();
});

test("20: what arrives while the server is away is there once, in order, when it is back; what is read does not move", async () => {
  const page = await open("/insights");
  await page.getByText("insight number first").waitFor();
  const before = await page.getByText("insight number first").boundingBox();
  await control("/web/stop");
  await page.getByText(/The server does not answer since .* UTC/).waitFor({ timeout: 10_000 });
  await publish(...Array.from({ length: 50 }, (_, k) => one(k)));
  await control("/web/start");
  await page.getByRole("button", { name: "50 new" }).waitFor({ timeout: 10_000 });
  await page.getByText("The server does not answer").waitFor({ state: "detached", timeout: 10_000 });
  const after = await page.getByText("insight number first").boundingBox();
  assert.ok(Math.abs(after.y - before.y) < 2, `it moved from ${before.y} to ${after.y}`);
  await page.getByRole("button", { name: "50 new" }).click();
  await page.getByText("insight number 49").waitFor();
  const names = await page.locator(".rows .title").allInnerTexts();
  assert.deepEqual(names.slice(0, 50), Array.from({ length: 50 }, (_, k) => "insight number " + (49 - k)));
  assert.equal(new Set(names).size, names.length);
  await page.context().close();
});

test("21: while NATS is away what was read stays with its age and nothing can be asked; it recovers by itself", async () => {
  await publish(beat("web-1"));
  const page = await open("/insights/i-1");
  await page.locator(".hypothesis").waitFor();
  const button = page.getByRole("button", { name: "Not quite" });
  assert.ok(await button.isEnabled());
  await control("/nats/stop");
  await page.getByText(/not connected with NATS.* since \d\d:\d\d:\d\d UTC \(\d+ s ago\)/).waitFor({ timeout: 10_000 });
  assert.ok(await page.locator(".hypothesis").isVisible());
  assert.ok(await button.isDisabled());
  assert.ok(await page.getByText("Not while NATS is away.").first().isVisible());
  await page.getByRole("link", { name: "Insights", exact: true }).click();
  await page.getByRole("alert").getByText(/not connected with NATS/).waitFor(); // it was not read before
  await page.goBack();
  await page.locator(".hypothesis").waitFor();
  await control("/nats/start");
  await page.getByText("The server is not connected").waitFor({ state: "detached", timeout: 15_000 });
  assert.ok(await button.isEnabled());
  await page.getByRole("link", { name: "Insights", exact: true }).click();
  await page.getByText("insight number 49").waitFor();
  await publish(one("back"));
  await page.getByRole("button", { name: "1 new" }).waitFor({ timeout: 5000 });
  await page.context().close();
});

test("no page complained", () => assert.deepEqual(wrong, []));
