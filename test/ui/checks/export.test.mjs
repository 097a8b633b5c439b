import assert from "node:assert/strict";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { control, finding, insight, open, publish, wrong } from "./stage.mjs";

test("33: the exported page shows all facts and plots without script, and the bundle opens with NATS off", async () => {
  const dir = mkdtempSync(join(tmpdir(), "export-"));
  await publish(finding(), finding({ id: "n-2", observation: "disk_free is 1 GB", figures: [] }), insight({ notification_ids: ["n-1", "n-2"] }));
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
  await page.getByLabel("Export (JSON)").setInputFiles(markdown);
  await page.getByText("This is no export of an insight").waitFor();
  await page.context().close();
});

test("no page complained", () => assert.deepEqual(wrong, []));
