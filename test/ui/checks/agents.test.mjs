// With a probe, an operator and a coordinator that are real; their model is a provider that
// the stage plays.
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { control, open, wrong } from "./stage.mjs";

before(() => control("/agents"));

/** ask starts an investigation at the page for it, and returns the page of the investigation. */
async function ask(reason) {
  const page = await open("/ask");
  await page.getByLabel("What is wrong?").fill(reason);
  await page.getByRole("button", { name: "Investigate" }).click();
  await page.waitForURL(/investigations\/[0-9a-f]+/);
  return page;
}

test("13: a follow-up is read while it is written, has its figures marked, and the insight stays as it is", async () => {
  const page = await ask("is it well, with no model?");
  await page.locator("main a[href^='/insights/']").first().click({ timeout: 30_000 });
  await page.locator(".evidence, .fact").first().waitFor();
  const read = () => page.evaluate(async () => JSON.stringify((await (await fetch("/api/v1" + location.pathname)).json()).insight));
  const earlier = await read();
  await page.getByLabel("Question").fill("How full is it?");
  await page.keyboard.press("Enter");
  const said = page.locator(".answer");
  await said.getByText("Half of its 12345 …").waitFor({ timeout: 10_000 }); // the provider holds the rest back
  assert.equal(await said.getAttribute("aria-busy"), "true");
  assert.equal(await said.locator("mark").count(), 0);
  await control("/release");
  await said.getByText("0 of 2 figures verified").waitFor({ timeout: 1000 });
  assert.deepEqual(await said.locator("mark.lost").evaluateAll((l) => l.map((m) => m.firstChild.data)), ["12345 MB", "77.7 %"]);
  const text = await said.innerText();
  for (const want of ["How full is it?", "Half of its 12345 MB", "the host of the probe was looked at", "slow (m)", "120 tokens"]) assert.ok(text.includes(want), `${want} in ${text}`);
  assert.equal(await said.locator("a[href^='/runs/']").count(), 1);
  assert.equal(await read(), earlier);
  await page.context().close();
});

test("15: cancelling asks once, says how far it reaches, all runs read cancelled within two seconds, and no model is asked any more", async () => {
  const page = await ask("why is it slow?");
  await page.waitForFunction(() => document.querySelectorAll(".lanes li").length === 3, undefined, { timeout: 30_000 });
  await page.getByRole("button", { name: "Cancel", exact: true }).click();
  await page.getByText("Its 3 runs end with it.").waitFor();
  await page.getByRole("button", { name: "Cancel it" }).click();
  await page.waitForFunction(() => document.querySelectorAll(".lanes .mark-cancelled").length === 3, undefined, { timeout: 2000 });
  const asked = await control("/asked");
  assert.equal(await page.getByRole("button", { name: "Cancel", exact: true }).count(), 0);
  await page.reload();
  await page.locator(".lanes .mark-cancelled").first().waitFor();
  assert.equal(await control("/asked"), asked);
  await page.context().close();
});

test("no page complained", () => assert.deepEqual(wrong, []));
