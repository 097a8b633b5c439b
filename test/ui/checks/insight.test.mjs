import assert from "node:assert/strict";
import { test } from "node:test";
import { beat, finding, insight, open, publish, wrong } from "./stage.mjs";

test("1: the headline of an open insight is the first heading, reached by Enter from the list", async () => {
  await publish(finding(), insight());
  const page = await open("/");
  await page.getByRole("link", { name: /disk_used_pct is 97.2 %/ }).focus();
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/insights\/c1f09a7be2d44510/);
  await page.locator("h1 mark").first().waitFor();
  assert.match(await page.getByRole("heading").first().innerText(), /disk_used_pct is 97.2 % on db-1/);
  await page.context().close();
});

test("2: every number of a fact has a mark, and the chip counts them", async () => {
  const page = await open("/insights/c1f09a7be2d44510");
  await page.waitForSelector(".fact");
  const solid = await page.locator("h1 mark.found, .fact summary mark.found").count();
  const chip = page.locator("[data-figures]");
  assert.equal(Number(await chip.getAttribute("data-verified")), solid);
  assert.equal(await chip.getAttribute("class"), "good");
  await page.context().close();
});

test("3, 4: opening a fact shows what proves it, and the plot is drawn, in light and in dark", async () => {
  for (const dark of [false, true]) {
    const page = await open("/insights/c1f09a7be2d44510", { dark });
    await page.locator(".fact > summary").click();
    const fact = page.locator(".fact[open]");
    for (const text of ["n-1", "snap-1#disk_used_pct", "97.2 %", "threshold 90 %", "usually 41 %"]) await fact.filter({ hasText: text }).waitFor({ timeout: 20_000 });
    assert.match(page.url(), /fact=n-1/);
    const line = fact.locator(".plot path.line").first();
    const stroke = await line.evaluate((e) => getComputedStyle(e).stroke), paper = await page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
    assert.match(stroke, /^rgb/);
    assert.notEqual(stroke, paper);
    const shot = await line.evaluate((e) => e.getTotalLength());
    assert.ok(shot > 200, `a line of ${shot}`);
    await page.context().close();
  }
});

test("5: what was not verified shows a question mark and what was found, and comes last", async () => {
  await publish(
    finding({ id: "n-2", investigation_id: "inv-2", verified: false, observation: "latency rose to 9 ms", figures: [{ text: "9 ms", value: 9, found: false, nearest: "1.1 ms at snap-2#latency" }] }),
    finding({ id: "n-3", investigation_id: "inv-2" }),
    insight({ id: "bbbb", investigation_id: "inv-2", notification_ids: ["n-2", "n-3"] }),
  );
  const page = await open("/insights/bbbb");
  await page.waitForSelector(".fact");
  assert.deepEqual(await page.locator(".fact .verdict").allInnerTexts(), ["✓", "?"]);
  assert.match(await page.locator(".fact").last().innerText(), /found 1.1 ms/);
  assert.equal(await page.locator("[data-figures].good").count(), 0);
  await page.context().close();
});

test("6, 7: a hypothesis is no fact, and one that is not grounded says so", async () => {
  await publish(insight({ id: "cccc", investigation_id: "inv-3", notification_ids: [], hypothesis_grounded: false, grounding: "only one run" }));
  const page = await open("/insights/cccc");
  await page.waitForSelector(".hypothesis");
  assert.match(await page.locator(".hypothesis").innerText(), /^Not a fact:/);
  assert.equal(await page.locator(".fact", { hasText: "The backup keeps" }).count(), 0);
  const chip = page.locator(".chips li", { hasText: "not grounded: only one run" });
  assert.equal(await chip.count(), 1);
  assert.ok(!(await chip.getAttribute("class"))?.includes("good"));
  await page.context().close();
});

test("8, 9: nothing is wrong tells what was looked at, and that no LLM was used", async () => {
  await publish(insight({ id: "dddd", investigation_id: "inv-4", correlation_type: "none", severity: "info", summary: "Nothing is wrong on db-1", notification_ids: [], figures: [], root_cause_hypothesis: "" }));
  const page = await open("/insights/dddd");
  await page.waitForSelector("h2");
  const text = await page.locator("main").innerText();
  for (const want of ["nothing wrong", "memory_used_pct is 31 %", "net: no worker serves it", "no LLM used"]) assert.ok(text.includes(want), want);
  await page.context().close();
});

test("14: feedback survives a reload, is seen by others, and a double click is one", async () => {
  const page = await open("/insights/c1f09a7be2d44510");
  page.on("dialog", (d) => d.accept("ann"));
  await page.getByLabel("What was the cause? (if you know)").fill("the backup");
  await page.getByRole("button", { name: "Not quite" }).click();
  await page.getByText("Not quite: the backup").waitFor();
  const other = await open("/insights/c1f09a7be2d44510");
  await other.getByText("Not quite: the backup").waitFor();
  await page.context().close();
  await other.context().close();
});

test("a link of a message opens what a person was about to say, and says nothing by itself", async () => {
  await publish(insight({ id: "from-slack", investigation_id: "inv-slack" }));
  const page = await open("/insights/from-slack?ack"), posts = [];
  page.on("dialog", (d) => d.accept("ann"));
  page.on("request", (r) => r.method() === "POST" && posts.push(new URL(r.url()).pathname));
  const form = page.getByRole("form", { name: "From a message" });
  await form.getByText("Do you look after this?").waitFor();
  await page.getByRole("button", { name: "Acknowledge", exact: true }).waitFor(); // nobody does yet
  assert.deepEqual(posts, []);
  await form.getByRole("button", { name: "Yes, acknowledge" }).click();
  await page.getByText("ann looks after it").waitFor();
  assert.equal(new URL(page.url()).search, "");
  await page.goto(page.url() + "?feedback=not_quite");
  await form.getByLabel("Not quite. What was the cause? (if you know)").fill("the backup of db-1");
  assert.equal(posts.length, 1);
  await form.getByRole("button", { name: "Say “Not quite”" }).click();
  await page.getByText("Not quite: the backup of db-1").waitFor();
  assert.equal(await form.count(), 0);
  await page.goto(page.url() + "?feedback=nonsense");
  await page.getByText("Not quite: the backup of db-1").waitFor();
  assert.equal(await form.count(), 0);
  assert.equal(posts.length, 2);
  await page.context().close();
});

test("30: hostile text is shown as text, on every page and at any length that a message may have", async () => {
  const evil = '<img src=x onerror="window.owned=1"> [x](javascript:alert(1)) ![](http://evil.example/x.png) \u202Egnp.exe ';
  const long = evil + "x".repeat(100_000); // a finding has 128 KiB at most, an insight 256
  await publish(
    finding({ id: "n-9", investigation_id: "inv-9", observation: long, context: evil, figures: [] }),
    insight({ id: "eeee", investigation_id: "inv-9", summary: evil + "y".repeat(2000), notification_ids: ["n-9"], root_cause_hypothesis: long, ruled_out: [evil], figures: [] }),
    beat("web-9", { version: evil, labels: { role: evil } }), { subject: "nodes.evil", body: { ...beat("evil").body, node: evil } },
    { subject: "snapshots.web-9.host.os", body: { id: "snap-9", node: "web-9", target: "host", kind: "host", skill: "os", captured_at: new Date().toISOString(), data: { [evil]: 1, line: evil + "z".repeat(50_000) }, errors: [evil] } },
    { subject: "changes.web-9.probe", body: { id: "c-9", node: "web-9", what: "restart", text: evil, source: "probe", at: new Date().toISOString() } },
    { subject: "insights.critical.causal.inv-mb", body: { ...insight({ id: "ffff", investigation_id: "inv-mb" }).body, summary: "m".repeat(900_000) } });
  for (const [path, there] of [["/insights/eeee", ".fact"], ["/insights", "main .row"], ["/investigations/inv-9", "h1"], ["/nodes", ".window tbody a"], ["/nodes/web-9?open=host/os", ".snapshot td"], ["/system", "table"], ["/map", "main p"], ["/evidence?address=" + encodeURIComponent(evil), "main p"], ["/ask?reason=" + encodeURIComponent(evil), "textarea"]]) {
    const page = await open(path);
    await page.locator(there).first().waitFor();
    if (path === "/insights/eeee") assert.match(await page.locator("h1").innerText(), /<img src=x/);
    if (path === "/insights") await page.getByText("1 message cannot be read here").waitFor(); // of 900 kB: more than an insight may have
    assert.equal(await page.evaluate(() => window.owned), undefined, path);
    assert.equal(await page.evaluate(() => document.querySelectorAll("main img").length + [...document.links].filter((a) => a.origin !== location.origin).length), 0, path);
    assert.deepEqual(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth ? [] : ["html", ...[...document.querySelectorAll("main *")].filter((e) => e.scrollWidth > innerWidth).map((e) => e.tagName + "." + e.className)]), [], `${path} scrolls sideways`);
    await page.context().close();
  }
});

test("no page complained, and none asked another host", () => assert.deepEqual(wrong, []));
