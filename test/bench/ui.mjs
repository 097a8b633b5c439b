// What a browser measures of the UI. It prints "live" when nodes are to say that they
// live, waits for the end of its standard input and for one node more than there were,
// and prints one JSON object.
import { createRequire } from "node:module";

const { modules, browser: executablePath, url, token, insight, summary, nodes, loads } = JSON.parse(process.env.FLEETLENS_BENCH_UI);
const { chromium } = createRequire(modules + "/x.js")("playwright-core");
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });

/** watch notes when an element with a text was painted, in ms since the navigation began. */
const watch = ([selector, text]) => {
  const o = new MutationObserver(() => {
    if (!document.querySelector(selector)?.textContent.includes(text)) return;
    o.disconnect();
    requestAnimationFrame(() => { const c = new MessageChannel(); c.port1.onmessage = () => (window.shown = performance.now()); c.port2.postMessage(0); });
  });
  o.observe(document, { childList: true, subtree: true, characterData: true });
};

/** load opens a page in a browser that has a cookie and nothing else, until all of it is there. */
async function load(path, selector, text, all) {
  const context = await browser.newContext({ viewport: { width: 1100, height: 800 } });
  const signed = await context.request.post(url + "/api/v1/session", { data: { token } });
  if (!signed.ok()) throw new Error("sign in: " + signed.status());
  const page = await context.newPage();
  await page.addInitScript(watch, [selector, text]);
  await page.goto(url + path);
  const took = await (await page.waitForFunction(() => window.shown)).jsonValue();
  await page.locator(all).first().waitFor();
  return { page, took };
}

/** times loads a page again and again, and leaves the last one open. */
async function times(n, ...of) {
  const out = [];
  for (let k = 1; ; k++) {
    const { page, took } = await load(...of);
    out.push(took);
    if (k === n) return { page, out };
    await page.context().close();
  }
}

const total = (n) => `of ${n.toLocaleString("en-US")} nodes`;

try {
  const first = await times(loads, "/insights/" + insight, "h1", summary, ".lanes .bar");
  await first.page.context().close();
  const fleet = await times(3, "/nodes", ".window tbody a", "", ".window tbody a");
  const page = fleet.page;
  await page.getByText(total(nodes)).waitFor();

  // From the key to the frame that shows what it filters.
  const filter = await page.evaluate(async () => {
    const input = document.getElementById("filter"), out = [];
    for (let turn = 0; turn < 3; turn++) for (const text of ["n", "no", "node-", "node-0", "node-00", "node-001", "node-001 ", "node-001 zone:zone-1", "zone:zone-2", "zone:zone-2 node-09", "", "state:critical", "9", "99", "998", ""]) {
      const began = performance.now();
      input.value = text;
      input.dispatchEvent(new InputEvent("input", { bubbles: true }));
      await new Promise((done) => requestAnimationFrame(() => { const c = new MessageChannel(); c.port1.onmessage = done; c.port2.postMessage(0); }));
      out.push(performance.now() - began);
    }
    return out;
  });
  const elements = () => page.evaluate(() => document.querySelectorAll("*").length);
  const before = await elements();

  // Long tasks are told, as one that is planted shows.
  await page.evaluate(() => {
    window.long = [];
    new PerformanceObserver((l) => window.long.push(...l.getEntries().map((e) => e.duration))).observe({ type: "longtask" });
    setTimeout(() => { for (const t = performance.now(); performance.now() - t < 60;); });
  });
  await page.waitForFunction(() => window.long.length);
  await page.evaluate(() => (window.long = []));
  console.log("live");
  await new Promise((done) => process.stdin.on("end", done).resume());
  await page.getByText(total(nodes + 1)).waitFor(); // else nothing came
  console.log(JSON.stringify({ content: first.out, first_row: fleet.out, filter, elements: Math.max(before, await elements()), long: await page.evaluate(() => window.long) }));
} finally {
  await browser.close();
}
