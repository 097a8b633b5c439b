import assert from "node:assert/strict";
import { test } from "node:test";
import { beat, evidence, finding, insight, open, publish, wrong } from "./stage.mjs";

const now = new Date().toISOString();
const many = Array.from({ length: 60 }, (_, k) => insight({ id: "many-" + k, investigation_id: "inv-m" + k, severity: "warning", summary: "memory is short on web-" + k, notification_ids: [], figures: [] }));

/** settle waits until a page has read what it shows. */
const settle = (page) => page.waitForFunction(() => document.querySelector("h1") && !document.querySelector(".loading"));
/** view is what a reader sees, without what grows older by itself. */
const view = (page) => page.evaluate(() => document.querySelector("main").innerText.replace(/\d+ (s|min) ago|for \d.*/g, ""));
/** near waits until a page is scrolled to about a place. */
const near = (page, y) => page.waitForFunction((y) => Math.abs(scrollY - y) < 3, y, { timeout: 5000 });

test("23: every address of a click-through shows the same view when it is loaded anew", async () => {
  await publish(...many, finding(), finding({ id: "n-2", observation: "disk_free is 1 GB", figures: [] }), insight({ notification_ids: ["n-1", "n-2"] }), ...Array.from({ length: 300 }, (_, k) => beat("web-" + k, { labels: { role: "web" }, targets: [{ name: "host", kind: "host", skills: ["os"] }] })),
    { subject: "snapshots.web-7.host.os", body: { id: "snap-7", node: "web-7", target: "host", kind: "host", skill: "os", captured_at: now, data: { disk_used_pct: 12 } } });
  const page = await open("/insights");
  const steps = [
    () => page.getByLabel("Severity").selectOption("critical"),
    () => page.getByRole("link", { name: /disk_used_pct is 97.2 %/ }).click(),
    () => page.locator("#n-1 > summary").click(),
    () => page.locator("#n-2 > summary").click(),
    () => page.getByRole("link", { name: "snap-1#disk_used_pct" }).first().click(),
    () => page.getByRole("link", { name: "Fleet", exact: true }).click(),
    () => page.getByLabel("Filter").fill("web-7 state:alive"),
    () => page.getByRole("link", { name: "web-7", exact: true }).click(),
    () => page.locator(".snapshot > summary").click(),
    () => page.getByRole("link", { name: "Map", exact: true }).click(),
    () => page.getByRole("link", { name: "System", exact: true }).click(),
  ];
  const addresses = [];
  for (const step of steps) {
    const before = page.url();
    await step();
    await page.waitForFunction((u) => location.href !== u, before);
    await settle(page);
    await page.waitForTimeout(200);
    addresses.push([page.url(), await view(page)]);
  }
  for (const [url, seen] of addresses) {
    const other = await page.context().newPage();
    await other.goto(url);
    await settle(other);
    await other.waitForFunction((want) => document.querySelector("main").innerText.replace(/\d+ (s|min) ago|for \d.*/g, "") === want, url.endsWith("/system") ? await view(other) : seen, { timeout: 3000 }).catch(async () => assert.equal(await view(other), seen, url));
    await other.close();
  }
  await page.context().close();
});

test("23: back and forward restore filters, what was open, and where one was", async () => {
  const page = await open("/insights?severity=warning");
  await page.getByText("memory is short on web-3", { exact: true }).waitFor();
  await page.evaluate(() => scrollTo(0, 900));
  await near(page, 900);
  await page.waitForTimeout(150);
  await page.getByRole("link", { name: "memory is short on web-40", exact: true }).click();
  await page.waitForURL(/many-40/);
  await page.getByRole("heading", { name: "memory is short on web-40" }).waitFor();
  await page.locator(".evidence > summary").click();
  await page.waitForURL(/open=all/);
  await page.evaluate(() => scrollTo(0, 300));
  await page.waitForTimeout(150);
  await page.goBack();
  await near(page, 900);
  assert.equal(await page.getByLabel("Severity").inputValue(), "warning");
  assert.match(await page.evaluate(() => document.activeElement.textContent), /web-40/);
  await page.goForward();
  await near(page, 300);
  assert.ok(await page.locator(".evidence[open]").count());
  await page.goBack();
  await near(page, 900);
  await page.reload();
  await near(page, 900);
  // The list of nodes is scrolled within itself.
  await page.goto(new URL(page.url()).origin + "/nodes?q=role:web");
  await page.locator(".window tbody a").first().waitFor();
  await page.locator(".window").evaluate((e) => (e.scrollTop = 3200));
  await page.waitForTimeout(200);
  await page.locator(".window tbody a").nth(12).click();
  await page.waitForURL(/nodes\/web/);
  await settle(page);
  await page.goBack();
  await page.waitForFunction(() => Math.abs(document.querySelector(".window")?.scrollTop - 3200) < 3);
  assert.equal(await page.getByLabel("Filter").inputValue(), "role:web");
  await page.context().close();
});

/** focused describes what has the focus, and whether one can see that it has it. */
const focused = (page) => page.evaluate(() => {
  const e = document.activeElement, s = getComputedStyle(e), b = e.getBoundingClientRect();
  return { body: e === document.body, name: (e.getAttribute("aria-label") ?? e.textContent).slice(0, 60), outline: s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 1, on: b.width > 0 && b.bottom > 0 && b.top < innerHeight, tag: e.tagName };
});

test("24: everything is reached with Tab, and one sees where one is", async () => {
  const page = await open("/insights");
  const base = new URL(page.url()).origin;
  for (const path of ["/insights?severity=critical", "/insights/c1f09a7be2d44510", "/investigations", "/nodes?q=web-7"]) {
    await page.goto(base + path);
    await settle(page);
    await page.waitForTimeout(200);
    const want = await page.evaluate(() => [...document.querySelectorAll("a[href], button:not([disabled]), input:not([disabled]), select, summary, textarea, [tabindex='0']")].filter((e) => e.checkVisibility() && !e.closest("dialog:not([open])")).length);
    let got = 0;
    for (let k = 0; k < want + 5; k++) {
      await page.keyboard.press("Tab");
      const f = await focused(page);
      if (f.body) break;
      assert.ok(f.outline && f.on, `${path}: ${JSON.stringify(f)}`);
      got++;
    }
    assert.ok(got >= want, `${path}: ${got} of ${want} were reached`);
  }
  await page.context().close();
});

test("24: the keys do what the list of keys says, and the focus is not lost when something new comes", async () => {
  const page = await open("/insights");
  await settle(page);
  await page.keyboard.press("?");
  await page.getByRole("dialog").getByText("next, previous row").waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "hidden" });
  for (const [key, path] of [["v", "/investigations"], ["n", "/nodes"], ["m", "/map"], ["a", "/ask"], ["s", "/system"], ["i", "/insights"]]) {
    await page.keyboard.press("g");
    await page.keyboard.press(key);
    await page.waitForURL("**" + path);
    await settle(page);
    if (path === "/ask") await page.evaluate(() => document.activeElement.blur());
  }
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  await page.keyboard.press("k");
  const first = await focused(page);
  assert.equal(first.tag, "A");
  await publish(insight({ id: "live-1", investigation_id: "inv-live", summary: "something new", notification_ids: [] }));
  await page.getByRole("button", { name: "1 new" }).waitFor();
  assert.deepEqual(await focused(page), first);
  await page.getByRole("button", { name: "1 new" }).focus();
  await page.keyboard.press("Enter");
  await page.getByText("something new").waitFor();
  assert.equal((await focused(page)).body, false);
  await page.goto(new URL(page.url()).origin + "/insights/c1f09a7be2d44510");
  await settle(page);
  await page.keyboard.press("e");
  await page.waitForURL(/fact=n-1/);
  const at = await focused(page);
  assert.equal(at.tag, "SUMMARY");
  await publish({ subject: "people.note.c1f09a7be2d44510", body: { id: "c1f09a7be2d44510", text: "a note of somebody", by: "bob", at: now } });
  await page.getByText("a note of somebody").waitFor();
  assert.deepEqual(await focused(page), at);
  // What is typed is text, not keys.
  await page.getByLabel("Note", { exact: true }).pressSequentially("z?gs");
  await page.keyboard.press("Enter");
  await page.getByText("z?gs").waitFor();
  await page.context().close();
});

test("29: all times change with z", async () => {
  const page = await open("/insights/c1f09a7be2d44510", { zone: "Asia/Tokyo" });
  await page.waitForSelector(".fact");
  await page.locator("#n-1 > summary").click();
  await page.locator("#n-1 .plot details > summary").click();
  await page.locator("#n-1 .plot table").waitFor();
  const times = () => page.evaluate(() => [...document.querySelectorAll("main *")].filter((e) => e.checkVisibility() && [...e.childNodes].some((n) => n.nodeType === 3 && /\d\d:\d\d:\d\d/.test(n.data))).map((e) => e.textContent.match(/\d\d:\d\d:\d\d/)[0]));
  const utc = await times(), labels = await page.locator("main [aria-label*='UTC']").count();
  await page.locator("h1").focus();
  await page.keyboard.press("z");
  await page.getByText("local time").first().waitFor();
  const local = await times();
  assert.ok(utc.length > 60 && labels > 0, `${utc.length} times`);
  const hour = (t) => Number(t.slice(0, 2));
  assert.deepEqual(local.map((t, k) => [(hour(t) - hour(utc[k]) + 24) % 24, t.slice(2)]), utc.map((t) => [9, t.slice(2)]));
  assert.equal(await page.locator("main [aria-label*='UTC']").count(), 0);
  await page.context().close();
});

test("28: with forced colours severity, marks, plots and the bars of runs can be told apart", async () => {
  await publish(
    { subject: "investigations.inv-1.accepted", body: { investigation_id: "inv-1", run_id: "run-co", coordinator: "c", request: { reason: "db-1 is slow" }, deadline: now, at: now } },
    ...["start", "claim", "answer", "result", "finished"].map((kind, k) => ({ subject: "journal.coordinator.run-co", body: { run_id: "run-co", n: k + 1, kind, worker: "co-1", at: new Date(Date.parse(now) + 1000 * k).toISOString(), data: { tool: "wait", worker: "co-1", attempt: 1 } } })),
  );
  for (const dark of [false, true]) {
    const page = await open("/insights/c1f09a7be2d44510", { forced: true, dark });
    await page.locator(".bar .work").first().waitFor();
    await page.locator("#n-1 > summary").click();
    assert.match(await page.locator(".chips .mark-critical").innerText(), /▲\s*critical/);
    const paper = await page.evaluate(() => getComputedStyle(document.body).backgroundColor === "rgba(0, 0, 0, 0)" ? getComputedStyle(document.documentElement).backgroundColor : getComputedStyle(document.body).backgroundColor);
    const paint = await page.evaluate(() => Object.fromEntries([[".bar .work", "fill"], [".bar .wait", "stroke"], [".plot .line", "stroke"], [".spark path", "stroke"]].map(([q, p]) => [q, getComputedStyle(document.querySelector(q))[p]])));
    for (const [q, colour] of Object.entries(paint)) assert.notEqual(colour, paper, q);
    assert.notEqual(await page.locator(".found").first().evaluate((e) => getComputedStyle(e).textDecorationStyle), await page.evaluate(() => { const m = document.createElement("mark"); m.className = "lost"; document.body.append(m); return getComputedStyle(m).textDecorationStyle; }));
    assert.ok(await pixels(page, ".bar", paper) > 500, "the bar is drawn");
    assert.ok(await pixels(page, "#n-1 .plot svg", paper) > 200, "the plot is drawn");
    await page.context().close();
  }
});

test("4: the plot's line is there to be seen, in light and in dark", async () => {
  for (const dark of [false, true]) {
    const page = await open("/insights/c1f09a7be2d44510?fact=n-1", { dark });
    await page.locator("#n-1 .plot .line").waitFor();
    const colour = await page.locator("#n-1 .plot .line").evaluate((e) => getComputedStyle(e).stroke);
    assert.ok(await pixels(page, "#n-1 .plot svg", colour, true) >= 200, `${dark ? "dark" : "light"}: ${colour}`);
    await page.context().close();
  }
});

/** pixels counts those of a part of the page that have a colour, or that do not. */
async function pixels(page, selector, colour, same = false) {
  const shot = (await page.locator(selector).first().screenshot()).toString("base64");
  const blank = await page.context().newPage(); // without our content security policy
  await blank.goto("about:blank");
  const n = await blank.evaluate(async ([shot, colour, same]) => {
    const i = new Image();
    i.src = "data:image/png;base64," + shot;
    await i.decode();
    const c = Object.assign(document.createElement("canvas"), { width: i.width, height: i.height }).getContext("2d");
    c.drawImage(i, 0, 0);
    const d = c.getImageData(0, 0, i.width, i.height).data, want = colour.match(/\d+/g).map(Number);
    let n = 0;
    for (let k = 0; k < d.length; k += 4) if (([0, 1, 2].every((j) => Math.abs(d[k + j] - want[j]) < 24)) === same) n++;
    return n;
  }, [shot, colour, same]);
  await blank.close();
  return n;
}

test("no page complained", () => assert.deepEqual(wrong, []));
