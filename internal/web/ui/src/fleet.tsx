// Which of many hosts differ, and by what.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { get, post, Problem } from "./api";
import { ago, list, number, plural, value } from "./format";
import { on } from "./live";
import { Mark, Page, Raw, Spark, State, useData, When, Wrong } from "./parts";
import { place, set, to } from "./router";
import type { CallReply, Insight, Node, NodeView, PageOfAnomaly, PageOfChange, PageOfInsight, PageOfNode, Series } from "./types";

/** What there is to say of a node, the worst first. */
interface Row { node: Node; state: string; why: string; rank: number }

const ranks: { [state: string]: number } = { critical: 4, silent: 3, warning: 2, info: 1 };

/** matches takes words of a name, label:value pairs and state:x. */
function matches(r: Row, filter: string): boolean {
  return filter.toLowerCase().split(/\s+/).filter(Boolean).every((w) => {
    const [name, v] = w.split(":");
    if (v === undefined) return r.node.node.toLowerCase().includes(w) || r.why.toLowerCase().includes(w);
    if (name === "state") return r.state === v;
    return (r.node.labels?.[name!] ?? "").toLowerCase() === v;
  });
}

export function Fleet() {
  const filter = place.value.query.get("q") ?? "";
  const [typed, type] = useState(filter);
  const page = useData(() => get<PageOfNode>("/nodes"), []);
  const insights = useData(() => get<PageOfInsight>("/insights?since=24h&limit=1000"), []);
  const [beats, hear] = useState<{ [node: string]: string }>({});
  // Beats come by the hundred: they are taken in once a second.
  useEffect(() => {
    let waiting: { [node: string]: string } = {};
    const off = on("nodes", (e) => { const h = e.message as { node: string }; waiting[h.node] = e.at; });
    const tick = setInterval(() => { if (Object.keys(waiting).length) { const w = waiting; waiting = {}; hear((b) => ({ ...b, ...w })); } }, 1000);
    return () => { off(); clearInterval(tick); };
  }, []);
  const rows = useMemo(() => judge(list(page.data?.items), list(insights.data?.items), beats), [page.data, insights.data, beats]);
  const shown = useMemo(() => rows.filter((r) => matches(r, filter)), [rows, filter]);
  const odd = rows.filter((r) => r.state === "critical" || r.state === "warning");
  const n = (s: string) => rows.filter((r) => r.state === s).length;
  return <Page title="Fleet">
    <State of={page} empty={(d) => !list(d.items).length && <><p>No probe has reported yet. On each host:</p><pre>probe --server nats://YOUR-SERVER:4222</pre><p>or try everything on this machine: <code>fleetlens up</code>.</p></>}>{(d) => <>
      <p class="sentence">{plural(n("critical"), "critical node")}, {n("warning")} warning, {n("silent")} silent of {number(list(d.items).length)}.</p>
      <Common odd={odd.map((r) => r.node)} all={rows.map((r) => r.node)} />
      <form class="filters" role="search" onSubmit={(e) => e.preventDefault()}><label class="wide">Filter <input id="filter" value={typed} placeholder="name role:web state:silent" onInput={(e) => { type(e.currentTarget.value); set("q", e.currentTarget.value); }} /></label></form>
      <Window rows={shown} />
    </>}</State>
  </Page>;
}

function judge(nodes: Node[], insights: Insight[], beats: { [node: string]: string }): Row[] {
  const by = new Map<string, Insight>();
  for (const i of insights) if (i.correlation_type !== "none") for (const name of list(i.nodes)) if (!by.has(name) || ranks[i.severity]! > ranks[by.get(name)!.severity]!) by.set(name, i);
  const now = Date.now();
  return nodes.map((node) => {
    const seen = beats[node.node] ?? node.last_seen;
    const silent = now - Date.parse(seen) > 3 * node.interval_ms + 2000;
    const i = by.get(node.node);
    const state = i?.severity === "critical" ? "critical" : silent ? "silent" : i && i.severity !== "info" ? i.severity : "alive";
    return { node: { ...node, last_seen: seen }, state, why: silent ? "no beat" : (i?.summary ?? ""), rank: ranks[state] ?? 0 };
  }).sort((a, b) => b.rank - a.rank || (a.node.node < b.node.node ? -1 : 1));
}

/** Common says which labels the odd nodes have more often than the rest. */
function Common({ odd, all }: { odd: Node[]; all: Node[] }) {
  if (odd.length < 2) return null;
  const count = (nodes: Node[]) => {
    const c = new Map<string, number>();
    for (const n of nodes) for (const [k, v] of Object.entries(n.labels ?? {})) c.set(k + "=" + v, (c.get(k + "=" + v) ?? 0) + 1);
    return c;
  };
  const mine = count(odd), total = count(all), rest = all.length - odd.length;
  const lines = [...mine].map(([label, k]) => ({ label, of: k / odd.length, rest: rest ? (total.get(label)! - k) / rest : 0, k }))
    .filter((l) => l.of - l.rest > 0.2).sort((a, b) => b.of - b.rest - (a.of - a.rest)).slice(0, 5);
  if (!lines.length) return null;
  return <section aria-labelledby="common"><h2 id="common">What the {odd.length} odd ones have in common</h2><table><thead><tr><th scope="col">label</th><th scope="col">of them</th><th scope="col">of the rest</th></tr></thead>
    <tbody>{lines.map((l) => <tr key={l.label}><th scope="row">{l.label}</th><td class="n">{l.k} of {odd.length}</td><td class="n">{(100 * l.rest).toFixed(1)} %</td></tr>)}</tbody></table></section>;
}

const height = 32;

/** Window shows the rows that can be seen of a list of any length. */
function Window({ rows }: { rows: Row[] }) {
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
  const first = Math.max(0, Math.floor(top / height) - 8), last = Math.min(rows.length, Math.ceil((top + view) / height) + 8);
  return <div class="window" ref={box} tabIndex={0} role="region" aria-label="Nodes, the worst first">
    <table aria-rowcount={rows.length + 1}>
      <thead><tr aria-rowindex={1}><th scope="col">node</th><th scope="col">state</th><th scope="col">seen</th><th scope="col" class="wide">stands out by</th></tr></thead>
      <tbody>
        {first > 0 && <tr class="gap" aria-hidden="true"><td colSpan={4} style={{ height: first * height + "px" }} /></tr>}
        {rows.slice(first, last).map((r, k) => <tr key={r.node.node} aria-rowindex={first + k + 2}><th scope="row"><a href={to("nodes", r.node.node)}>{r.node.node}</a></th><td><Mark of={r.state} /></td><td>{ago(r.node.last_seen)}</td><td class="cut">{r.why}</td></tr>)}
        {last < rows.length && <tr class="gap" aria-hidden="true"><td colSpan={4} style={{ height: (rows.length - last) * height + "px" }} /></tr>}
      </tbody>
    </table>
  </div>;
}

export function NodePage({ node }: { node: string }) {
  const v = useData(() => get<NodeView>("/nodes/" + encodeURIComponent(node)), [node]);
  const anomalies = useData(() => get<PageOfAnomaly>("/anomalies?since=24h&limit=50&node=" + encodeURIComponent(node)), [node]);
  const changes = useData(() => get<PageOfChange>("/changes?since=168h&limit=50&node=" + encodeURIComponent(node)), [node]);
  const insights = useData(() => get<PageOfInsight>("/insights?since=168h&limit=20&node=" + encodeURIComponent(node)), [node]);
  return <Page title={node}>
    <State of={v}>{(d) => <>
      <ul class="chips"><li><Mark of={d.state} /></li><li>seen {ago(d.last_seen)}</li><li>probe {d.version}</li>{Math.abs(d.skew_ms) > 2000 && <li>its clock is {Math.abs(Math.round(d.skew_ms / 1000))} s {d.skew_ms > 0 ? "ahead" : "behind"}</li>}{Object.entries(d.labels ?? {}).map(([k, l]) => <li key={k}>{k}={l}</li>)}</ul>
      <section aria-labelledby="ins"><h2 id="ins">Insights</h2><ul class="rows">{list(insights.data?.items).map((i) => <li key={i.id} class="row"><Mark of={i.correlation_type === "none" ? "none" : i.severity} short /><a href={to("insights", i.id)}>{i.summary}</a></li>)}</ul>{!list(insights.data?.items).length && <p class="quiet">None in a week.</p>}</section>
      <div class="columns">
        <section aria-labelledby="an"><h2 id="an">Anomalies</h2><ul>{list(anomalies.data?.items).map((a) => <li key={a.id}><When at={a.detected_at} short /> {a.skill}.{a.metric} {value(a.value, a.unit)}, usually {value(a.baseline, a.unit)} <Spark points={a.series} label={a.metric} /></li>)}</ul>{!list(anomalies.data?.items).length && <p class="quiet">None in a day.</p>}</section>
        <section aria-labelledby="ch"><h2 id="ch">Changes</h2><ul>{list(changes.data?.items).map((c) => <li key={c.id}><When at={c.at} /> {c.what}: {c.text}</li>)}</ul>{!list(changes.data?.items).length && <p class="quiet">None in a week.</p>}</section>
      </div>
      {list(d.snapshots).map((s) => <details key={s.id} class="snapshot"><summary>{s.skill} <span class="quiet">{s.target} · {ago(s.captured_at)}</span>{list(s.errors).length > 0 && <span class="quiet"> · not whole</span>}</summary>
        {list(s.errors).map((e, k) => <p key={k} class="wrong">{e}</p>)}
        <table><thead><tr><th scope="col">field</th><th scope="col">value</th><th scope="col">lately</th></tr></thead><tbody>{Object.entries(s.data ?? {}).sort().map(([name, x]) => <tr key={name}><th scope="row">{name}</th><td class={typeof x === "number" ? "n" : ""}>{value(x)}</td><td>{typeof x === "number" && <Lately node={s.node} target={s.target} skill={s.skill} metric={name} />}</td></tr>)}</tbody></table></details>)}
      <Console node={node} targets={list(d.targets).map((t) => t.name)} />
      <Raw of={d.links} />
    </>}</State>
  </Page>;
}

/** Lately reads a series when it is asked for: a page of hundreds would ask for hundreds. */
function Lately({ node, target, skill, metric }: { node: string; target: string; skill: string; metric: string }) {
  const [s, put] = useState<Series>();
  if (s) return <Spark points={s.points} label={metric} />;
  return <button type="button" class="copy" aria-label={`Show how ${metric} went`} onClick={() => void get<Series>(`/nodes/${[node, target, skill].map(encodeURIComponent).join("/")}/series?metric=${encodeURIComponent(metric)}`).then(put, () => undefined)}>show</button>;
}

/** Console asks a host one of its read-only questions. */
function Console({ node, targets }: { node: string; targets: string[] }) {
  const [callback, name] = useState("system_top_processes"), [args, give] = useState("[5]"), [target, of] = useState("host"), [answer, put] = useState<CallReply>(), [wrong, fail] = useState<Problem>();
  const ask = (e: Event) => {
    e.preventDefault();
    let values: unknown;
    try { values = args.trim() ? JSON.parse(args) : undefined; } catch { fail(new Problem("The arguments are no JSON: a list as [5, \"memory\"], or names and values.", 400)); return; }
    post<CallReply>("/calls", { node, target, callback, args: values }).then((a) => { put(a); fail(undefined); }, fail);
  };
  return <section aria-labelledby="console"><h2 id="console">Ask this host</h2>
    <form onSubmit={ask} class="filters"><label>Target <select value={target} onChange={(e) => of(e.currentTarget.value)}>{targets.map((t) => <option key={t}>{t}</option>)}</select></label><label>Question <input value={callback} onInput={(e) => name(e.currentTarget.value)} /></label><label>Arguments (JSON) <input value={args} onInput={(e) => give(e.currentTarget.value)} /></label><button>Ask</button></form>
    {wrong && <Wrong problem={wrong} />}
    {answer && <><pre tabIndex={0}>{JSON.stringify(answer.value, null, 2)}</pre>{answer.truncated && <p class="quiet">The answer was cut to fit.</p>}</>}
  </section>;
}
