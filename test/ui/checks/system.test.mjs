import assert from "node:assert/strict";
import { test } from "node:test";
import { beat, insight, open, publish, wrong } from "./stage.mjs";

test("the system's page tells what needs somebody first, what it is held against, and what to do", async () => {
  const now = new Date().toISOString(), deadline = new Date(Date.now() + 3_600_000).toISOString();
  await publish(
    beat("web-1"), { subject: "deadletters.FL_WORK", body: { stream: "FL_WORK", subject: "operator.task.os", reason: "no JSON", by: "op-1", sequence: 7, at: now, body: "" } },
    { subject: "operator.task.ports", body: { run_id: "r-1", investigation_id: "inv-1", skill: "ports", reason: "why", deadline, targets: [{ node: "web-1", target: "host", kind: "host" }] } },
  );
  const page = await open("/system");
  const checks = page.getByRole("region", { name: "Table of the checks" });
  await page.getByRole("heading", { name: /^2 of \d+ checks need somebody$/ }).waitFor();
  const rows = await checks.locator("tbody tr").evaluateAll((l) => l.map((r) => [...r.cells].map((c) => c.textContent)));
  assert.deepEqual(rows[0], ["skill ports", "▲ critical", "1 waiting, 0 workers", "100 waiting", "operator --skills ports"]);
  assert.deepEqual(rows[1].slice(0, 4), ["dead letters", "◆ warning", "1, the newest a moment ago, of FL_WORK: no JSON", "none in a day"]);
  assert.ok(rows.some((r) => r.join("|") === "FL_SNAPSHOTS|● healthy|0 % full|2 GiB|"), JSON.stringify(rows));
  await page.context().close();
});

test("where nothing is open, home says when that was found and what was looked at", async () => {
  await publish(insight({ id: "well", correlation_type: "none", severity: "info", summary: "Nothing is wrong on web-1", nodes: ["web-1", "web-2"], skills: ["os", "net"], notification_ids: [], figures: [] }));
  const page = await open("/");
  assert.match(await page.locator(".sentence").innerText(), /^Nothing is open\. The last investigation, \d{4}-.*, found nothing wrong; it looked at 2 nodes with os, net\.$/);
  await page.context().close();
});

test("no page complained", () => assert.deepEqual(wrong, []));
