// The frame of all pages: navigation, keys, what is wrong with the connection.
import { render } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { get, lost, Problem, signedOut, signIn } from "./api";
import { ago, list, time, toggleZone, utc, zone } from "./format";
import { Fleet } from "./fleet";
import { InsightPage } from "./insight";
import { Insights } from "./insights";
import { InvestigationPage, Investigations, RunPage } from "./investigations";
import { away, exported, learn, me } from "./me";
import { MapPage } from "./map";
import { NodePage } from "./node";
import { Opened } from "./opened";
import { Ask, EvidencePage } from "./others";
import { Page, Wrong } from "./parts";
import { go, place, returned, to } from "./router";
import { Silences } from "./silences";
import { SystemPage } from "./system";
import type { PageOfInsight } from "./types";

const pages: [string, string, string][] = [["/insights", "Insights", "i"], ["/investigations", "Investigations", "v"], ["/nodes", "Fleet", "n"], ["/map", "Map", "m"], ["/ask", "Ask", "a"], ["/system", "System", "s"]];

function Body() {
  const [first, second] = place.value.path;
  if (exported.value) return <Opened />;
  switch (first) {
    case undefined:
    case "insights": return second ? <InsightPage id={second} /> : <Insights />;
    case "investigations": return second ? <InvestigationPage id={second} /> : <Investigations />;
    case "runs": if (second) return <RunPage run={second} />; break;
    case "nodes": return second ? <NodePage node={second} /> : <Fleet />;
    case "map": return <MapPage />;
    case "ask": return <Ask />;
    case "system": return <SystemPage />;
    case "silences": return <Silences />;
    case "open": return <Opened />;
    case "evidence": return <EvidencePage />;
  }
  return <Page title="Nothing is here"><p>There is no page at <code>{location.pathname}</code>. <a href="/insights">To the insights</a></p></Page>;
}

function SignIn() {
  const [token, type] = useState(""), [wrong, fail] = useState<Problem>();
  return <Page title="Sign in"><p>Open the address that <code>fleetlens ui</code> printed, or give its token here.</p>{wrong && <Wrong problem={wrong} />}
    <form onSubmit={(e) => { e.preventDefault(); signIn(token.trim()).then(learn, fail); }}><label>Token <input type="password" autocomplete="current-password" value={token} onInput={(e) => type(e.currentTarget.value)} /></label> <button>Sign in</button></form></Page>;
}

function App() {
  const keys = useRef<HTMLDialogElement>(null);
  useKeys(() => keys.current?.showModal());
  const page = useRef(location.pathname), opened = place.value.path.join("/");
  useEffect(() => {
    if (page.current === location.pathname) return;
    page.current = location.pathname;
    if (!location.hash && !returned) document.querySelector<HTMLElement>("h1")?.focus({ preventScroll: true });
  }, [opened]);
  const here = "/" + (place.value.path[0] ?? "insights");
  return <>
    <a class="skip" href="#main" onClick={(e) => { e.preventDefault(); document.querySelector<HTMLElement>("h1")?.focus(); }}>Skip to the page</a>
    <header class="top"><a class="brand" href={exported.value ? "/open" : "/insights"}>Fleetlens</a>
      {!exported.value && <nav aria-label="Pages"><ul>{pages.map(([to, name]) => <li key={to}><a href={to} aria-current={here === to ? "page" : undefined}>{name}</a></li>)}</ul></nav>}
      <button type="button" class="zone" onClick={toggleZone} aria-label={`Times are in ${zone()}: change`}>{utc.value ? "UTC" : "local"}</button>
      <button type="button" class="help" aria-label="Keys" onClick={() => keys.current?.showModal()}>?</button></header>
    {lost.value > 0 && <p class="banner" role="status">The server does not answer since {time(lost.value)} {zone()} (<Age of={lost.value} />). What is shown was read before; trying again.</p>}
    {away.value > 0 && !lost.value && <p class="banner" role="status">The server is not connected with NATS{me.value?.url && " at " + me.value.url} since {time(away.value)} {zone()} (<Age of={away.value} />). What is shown was read before; nothing can be asked until it is back.</p>}
    {signedOut.value ? <SignIn /> : <Body key={opened} />}
    <dialog ref={keys} aria-labelledby="keys"><h2 id="keys">Keys</h2><dl>{help.filter(([, , fleet]) => !exported.value || !fleet).map(([k, what]) => <><dt><kbd>{k}</kbd></dt><dd>{what}</dd></>)}</dl><form method="dialog"><button>Close</button></form></dialog>
  </>;
}

/** Age says how long ago a moment was, and goes on saying so. */
function Age({ of }: { of: number }) {
  const [, turn] = useState(0);
  useEffect(() => { const t = setInterval(() => turn((n) => n + 1), 1000); return () => clearInterval(t); }, []);
  return <>{ago(of)}</>;
}

/** help are the keys, and which of them need a fleet. */
const help: [string, string, "fleet"?][] = [["j k", "next, previous row", "fleet"], ["Enter", "open it"], ["e", "open the first fact"], ["c", "copy the address of its evidence"], ["[ ]", "previous, next insight", "fleet"], ["/", "filter", "fleet"], ["g i, v, n, m, a, s", "insights, investigations, fleet, map, ask, system", "fleet"], ["z", "UTC or local time"], ["?", "this list"], ["Esc", "back", "fleet"]];

/** useKeys listens to single keys, but not while somebody types. */
function useKeys(showHelp: () => void): void {
  useEffect(() => {
    let before = "";
    const press = (e: KeyboardEvent) => {
      const typing = (e.target as Element).closest("input, textarea, select, dialog[open]");
      if (typing || e.metaKey || e.ctrlKey || e.altKey || localStorage.getItem("keys") === "off") return;
      const page = !exported.value && before === "g" && pages.find(([, , k]) => k === e.key);
      before = e.key;
      if (page) return go(page[0]);
      switch (e.key) {
        case "?": return showHelp();
        case "z": return toggleZone();
        case "j": return step(1);
        case "k": return step(-1);
        case "e": { const f = document.querySelector<HTMLElement>("details.fact > summary"); f?.focus(); f?.click(); return; }
        case "c": document.querySelector<HTMLElement>(".fact[open] .proof .copy")?.click(); return;
        case "[": return void beside(-1);
        case "]": return void beside(1);
        case "/": { const f = document.getElementById("filter"); if (f) { e.preventDefault(); f.focus(); } return; }
        case "Escape": history.length > 1 && place.value.path.length > 1 && history.back();
      }
    };
    document.addEventListener("keydown", press);
    return () => document.removeEventListener("keydown", press);
  }, []);
}

/** beside opens the insight before or after the one that is shown. */
async function beside(by: number): Promise<void> {
  const [page, id] = place.value.path;
  if (page !== "insights" || !id) return;
  const all = list((await get<PageOfInsight>("/insights?limit=200")).items), next = all[all.findIndex((i) => i.id === id) + by];
  if (next) go(to("insights", next.id));
}

/** step moves the focus to the next row's link. */
function step(by: number): void {
  const links = [...document.querySelectorAll<HTMLElement>("main .rows a:first-of-type, main .window th a")].filter((a, i, all) => a.closest(".row, tr") !== all[i - 1]?.closest(".row, tr"));
  const at = links.indexOf(document.activeElement as HTMLElement);
  links[Math.min(links.length - 1, Math.max(0, at + by))]?.focus();
}

const token = /^#token=(.+)$/.exec(location.hash)?.[1];
const root = document.getElementById("app")!;
root.textContent = "";
void (async () => {
  if (token) {
    history.replaceState(null, "", location.pathname + location.search);
    place.value = { ...place.value, hash: "" };
    await signIn(decodeURIComponent(token)).catch(() => undefined);
  }
  const known = learn();
  if (place.value.path[0] === "open") await known; // is it a file of the server's, or one to be chosen?
  render(<App />, root);
  setInterval(() => void learn(), 4000);
})();
