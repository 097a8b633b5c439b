// Which of many hosts differ, and by what.
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { ago, list, number, plural } from "./format";
import { on } from "./live";
import { Mark, Page, State, useData } from "./parts";
import { place, set, to } from "./router";
import type { Insight, Node, PageOfInsight, PageOfNode } from "./types";

/** What there is to say of a node, the worst first. */
interface Row { node: Node; state: string; why: string; rank: number }

const ranks: { [state: string]: number } = { critical: 4, silent: 3, warning: 2, info: 1 };

/** wanted reads a filter: words of a name, label:value pairs and state:x. */
function wanted(filter: string): (r: Row) => boolean {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean).map((w) => { const k = w.indexOf(":"); return [k < 0 ? w : w.slice(0, k), k < 0 ? undefined : w.slice(k + 1)] as const; });
  return (r) => words.every(([name, v]) => v === undefined ? r.node.node.toLowerCase().includes(name) || r.why.toLowerCase().includes(name)
    : name === "state" ? r.state === v : Object.entries(r.node.labels ?? {}).some(([k, x]) => k.toLowerCase() === name && x.toLowerCase() === v));
}

export function Fleet() {
  const filter = place.value.query.get("q") ?? "";
  const page = useData<PageOfNode>("/nodes?brief=1");
  const insights = useData<PageOfInsight>("/insights?since=24h&limit=1000");
  const beats = useRef(new Map<string, Beat>()).current, [turn, hear] = useState(0);
  // Beats come by the hundred: they are taken in once a second.
  useEffect(() => {
    let news = false, idle = 0; // without a beat, what is shown grows old all the same
    const off = on("nodes", (e) => { const h = e.message as Node; if (e.subject === "nodes." + h.node) { beats.set(h.node, { node: { ...h, last_seen: e.at }, seen: Date.parse(e.at) }); news = true; } });
    const tick = setInterval(() => { if (news || ++idle % 5 === 0) { news = false; hear((n) => n + 1); } }, 1000);
    return () => { off(); clearInterval(tick); };
  }, []);
  useEffect(() => on("insights", insights.reload), []);
  const read = useMemo(() => new Map(list(page.data?.items).map((node) => [node.node, { node, seen: Date.parse(node.last_seen) }])), [page.data]);
  const rows = useMemo(() => judge(read, list(insights.data?.items), beats), [read, insights.data, turn]);
  const shown = useMemo(() => (filter ? rows.filter(wanted(filter)) : rows), [rows, filter]);
  const n = useMemo(() => {
    const c: { [state: string]: number } = {};
    for (const r of rows) c[r.state] = (c[r.state] ?? 0) + 1;
    return c;
  }, [rows]);
  return <Page title="Fleet">
    <State of={page} empty={() => !rows.length && <><p>No probe has reported yet. On each host:</p><pre>probe --server nats://YOUR-SERVER:4222</pre><p>or try everything on this machine: <code>fleetlens up</code>. This page turns into the first node by itself.</p></>}>{() => <>
      <p class="sentence">{number(n.critical ?? 0)} critical, {number(n.warning ?? 0)} warning, {number(n.silent ?? 0)} silent of {plural(rows.length, "node")}.</p>
      <Common rows={rows} />
      <form class="filters" role="search" onSubmit={(e) => e.preventDefault()}><label class="wide">Filter <input id="filter" value={filter} placeholder="web-1 role:web state:silent" onInput={(e) => set("q", e.currentTarget.value)} /></label><p class="quiet" role="status">{filter && `${number(shown.length)} match`}</p></form>
      <Window rows={shown} filter={filter} />
    </>}</State>
  </Page>;
}

interface Beat { node: Node; seen: number }

function judge(read: Map<string, Beat>, insights: Insight[], beats: Map<string, Beat>): Row[] {
  const by = new Map<string, Insight>();
  for (const i of insights) if (i.correlation_type !== "none") for (const name of list(i.nodes)) if (!by.has(name) || ranks[i.severity]! > ranks[by.get(name)!.severity]!) by.set(name, i);
  const now = Date.now(), all = [...read.values()];
  for (const [name, b] of beats) if (!read.has(name)) all.push(b);
  return all.map((old) => {
    const { node, seen } = beats.get(old.node.node) ?? old;
    const silent = now - seen > 3 * node.interval_ms + 2000;
    const i = by.get(node.node);
    const state = i?.severity === "critical" ? "critical" : silent ? "silent" : i && i.severity !== "info" ? i.severity : "alive";
    return { node, state, why: i?.summary ?? (silent ? "no beat" : ""), rank: ranks[state] ?? 0 };
  }).sort((a, b) => b.rank - a.rank || (a.node.node < b.node.node ? -1 : 1));
}

/** Common says which labels the worst nodes have more often than the rest: the critical ones, or where there are none those with a warning. */
function Common({ rows }: { rows: Row[] }) {
  const found = useMemo(() => common(rows), [rows]);
  if (!found) return null;
  const { worst, of, lines } = found;
  return <section aria-labelledby="common"><h2 id="common">What the {of} {worst} ones have in common</h2><table><thead><tr><th scope="col">label</th><th scope="col" class="n">of them</th><th scope="col" class="n">of the rest</th></tr></thead>
    <tbody>{lines.map((l) => <tr key={l.label}><th scope="row"><button type="button" class="plain" onClick={() => set("q", l.label.replace("=", ":"))}>{l.label}</button></th><td class="n">{l.k} of {of}</td><td class="n">{(100 * l.rest).toFixed(1)} %</td></tr>)}</tbody></table></section>;
}

function common(rows: Row[]) {
  const worst = rows[0]?.state === "critical" ? "critical" : "warning";
  const odd = rows.filter((r) => r.state === worst).map((r) => r.node);
  if (odd.length < 2) return undefined;
  const count = (nodes: Node[]) => {
    const c = new Map<string, number>();
    for (const n of nodes) for (const [k, v] of Object.entries(n.labels ?? {})) c.set(k + "=" + v, (c.get(k + "=" + v) ?? 0) + 1);
    return c;
  };
  const mine = count(odd), total = count(rows.map((r) => r.node)), rest = rows.length - odd.length;
  const lines = [...mine].map(([label, k]) => ({ label, of: k / odd.length, rest: rest ? (total.get(label)! - k) / rest : 0, k }))
    .filter((l) => l.of - l.rest > 0.2).sort((a, b) => b.of - b.rest - (a.of - a.rest)).slice(0, 5);
  return lines.length ? { worst, of: odd.length, lines } : undefined;
}

const height = 32;

/** Window shows the rows that can be seen of a list of any length. */
function Window({ rows, filter }: { rows: Row[]; filter: string }) {
  const box = useRef<HTMLDivElement>(null);
  const [top, scroll] = useState(0), [view, measure] = useState(600);
  useEffect(() => {
    const el = box.current!;
    const look = () => { scroll(el.scrollTop); measure(el.clientHeight); };
    look();
    el.addEventListener("scroll", look, { passive: true });
    addEventListener("resize", look);
    return () => { el.removeEventListener("scroll", look); removeEventListener("resize", look); };
  }, []);
  // The row that somebody reads stays where it is when others come before it.
  const anchor = useRef<{ name: string; at: number; focused: boolean } | undefined>(undefined);
  const first = Math.max(0, Math.floor(top / height) - 8), last = Math.min(rows.length, Math.ceil((top + view) / height) + 8);
  const [above, tell] = useState(0);
  useLayoutEffect(() => {
    const el = box.current!, old = anchor.current;
    const moved = old && rows.findIndex((r) => r.node.node === old.name);
    if (old && moved !== undefined && moved >= 0 && moved !== old.at && (old.focused || el.scrollTop > 0)) {
      if (moved > old.at) tell((n) => n + moved - old.at);
      el.scrollTop += (moved - old.at) * height;
    }
  }, [rows]);
  useLayoutEffect(() => {
    const el = box.current!, link = el.contains(document.activeElement) && document.activeElement!.closest("tr")?.dataset.node;
    const at = link ? rows.findIndex((r) => r.node.node === link) : Math.min(rows.length - 1, Math.floor(el.scrollTop / height));
    anchor.current = at >= 0 ? { name: rows[at]!.node.node, at, focused: !!link } : undefined;
    if (el.scrollTop < height && above) tell(0);
  });
  useLayoutEffect(() => { box.current!.scrollTop = 0; anchor.current = undefined; }, [filter]);
  const focus = () => { // it must be known before the next rows come
    const name = document.activeElement?.closest("tr")?.dataset.node, at = name ? rows.findIndex((r) => r.node.node === name) : -1;
    if (at >= 0) anchor.current = { name: name!, at, focused: true };
  };
  // A row that is scrolled away takes the focus with it: the list has it then.
  const gone = useRef(false);
  gone.current = !!anchor.current?.focused && (anchor.current.at < first || anchor.current.at >= last);
  useLayoutEffect(() => { if (gone.current && document.activeElement === document.body) box.current!.focus({ preventScroll: true }); });
  return <>
    <div class="polite" role="status">{above > 0 && <button type="button" class="fresh" onClick={() => { box.current!.scrollTop = 0; box.current!.focus(); tell(0); }}>{above} more above</button>}</div>
    <div class="window" ref={box} tabIndex={0} role="region" aria-label="Nodes, the worst first" onFocusIn={focus}>
    <table aria-rowcount={rows.length + 1}>
      <thead><tr aria-rowindex={1}><th scope="col">node</th><th scope="col">state</th><th scope="col">seen</th><th scope="col">stands out by</th></tr></thead>
      <tbody>
        <tr key="above" class="gap" aria-hidden="true"><td style={{ height: first * height + "px" }} /></tr>
        {rows.slice(first, last).map((r, k) => <tr key={r.node.node} data-node={r.node.node} aria-rowindex={first + k + 2}><th scope="row"><a href={to("nodes", r.node.node)} title={r.node.node}>{r.node.node}</a></th><td><Mark of={r.state} /></td><td>{ago(r.node.last_seen)}</td><td class="cut" title={r.why}>{r.why}</td></tr>)}
        <tr key="below" class="gap" aria-hidden="true"><td style={{ height: (rows.length - last) * height + "px" }} /></tr>
      </tbody>
    </table>
    </div>
  </>;
}
