// Who talks to whom: from left to right, callers first, and the same as a table.
import { useMemo } from "preact/hooks";
import { Drawing } from "./drawing";
import { ago, list, plural } from "./format";
import { Page, State, useData } from "./parts";
import { Sketch } from "./radius";
import { place, set, to } from "./router";
import type { InsightView, Links, PageOfLinks, Radius } from "./types";

const most = 60; // lines that can be told apart

/** MapPage shows all connections, those of a node, or those of the nodes that an insight hits. */
export function MapPage() {
  const of = place.value.query.get("node") ?? "", id = place.value.query.get("insight") ?? "", path = id && "/insights/" + encodeURIComponent(id);
  const v = useData<PageOfLinks>("/links"), insight = useData<InsightView>(path), radius = useData<Radius>(path && path + "/radius");
  const edges = useMemo(() => edgesOf(list(v.data?.items)), [v.data]);
  const hit = useMemo(() => new Set(list(insight.data?.insight.nodes)), [insight.data]);
  const shown = edges.filter((e) => (!of || e.from === of || e.to === of) && (!id || hit.has(e.from) || hit.has(e.to)));
  const Name = ({ node, known }: { node: string; known: boolean }) => <>{hit.has(node) && <strong>▲ affected </strong>}{known ? <a href={to("nodes", node)}>{node}</a> : node}</>;
  return <Page title="Map">
    {id && <State of={insight}>{(d) => <p>Only what is connected with the {plural(hit.size, "node")} of <a href={to("insights", d.insight.id)}>{d.insight.summary}</a>; they are marked ▲. <a href="/map">Show all</a></p>}</State>}
    <State of={v} empty={(d) => !list(d.items).length && <p>No probe has said yet whom its host talks to: it does so within a minute.</p>}>{() => <>
      <form class="filters" onSubmit={(e) => e.preventDefault()}><label>Around <input id="filter" value={of} placeholder="any node" onChange={(e) => set("node", e.currentTarget.value.trim(), false)} /></label></form>
      {shown.length <= most && shown.length > 0 && <><Drawing label="Drawing of the connections; the table below says the same" {...drawn(shown, hit)} /><p class="quiet">Dashed: to an address that no node has. Thin and grey: not said again for an hour.</p></>}
      {shown.length > most && !of && radius.data && <Sketch of={radius.data} label="Drawing of the connections, nodes of one kind in one box; the table below has them one by one" />}
      <div class="scroll" tabIndex={0} role="region" aria-label="Connections"><table><thead><tr><th scope="col">from</th><th scope="col">to</th><th scope="col">port</th><th scope="col">connections</th><th scope="col">seen</th></tr></thead><tbody>{shown.slice(0, 500).map((e, k) => <tr key={k}><th scope="row"><Name node={e.from} known /></th><td><Name node={e.to} known={e.known} /></td><td class="n">{e.port}</td><td class="n">{e.n}</td><td>{e.old && "old: "}{ago(e.at)}</td></tr>)}</tbody></table></div>
      {shown.length > 500 && <p class="quiet">{shown.length - 500} more: choose a node.</p>}
      {shown.length === 0 && <p class="quiet">No connections{of && " of " + of}.</p>}
    </>}</State>
  </Page>;
}

interface Edge { from: string; to: string; port: number; n: number; known: boolean; at: string; old: boolean }

const hour = 3_600_000; // probes say it every ten minutes

/** edgesOf finds the node that has the address of each peer. */
function edgesOf(all: Links[]): Edge[] {
  const owner = new Map<string, string>();
  for (const l of all) for (const a of list(l.addresses)) owner.set(a, owner.has(a) && owner.get(a) !== l.node ? "" : l.node);
  const out: Edge[] = [];
  for (const l of all) for (const p of list(l.peers)) {
    const to = owner.get(p.address) || p.address;
    if (to !== l.node) out.push({ from: l.node, to, port: p.port, n: p.connections ?? 1, known: !!owner.get(p.address), at: l.at, old: Date.now() - Date.parse(l.at) > hour });
  }
  return out.sort((a, b) => b.n - a.n);
}

/** drawn has one line for all ports between two nodes. */
function drawn(edges: Edge[], hit: Set<string>) {
  const lines = new Map(edges.map((e) => [e.from + " " + e.to, { from: e.from, to: e.to, look: [e.known ? "" : "out", e.old ? "old" : "", hit.has(e.from) && hit.has(e.to) ? "lit" : ""].join(" ") }]));
  const names = [...new Set(edges.flatMap((e) => [e.from, e.to]))].sort();
  return { lines: [...lines.values()], boxes: names.map((name) => ({ id: name, name, look: hit.size === 0 ? "" as const : hit.has(name) ? "lit" as const : "dim" as const })) };
}
