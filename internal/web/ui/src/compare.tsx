// Two nodes beside each other: only what differs.
import { useEffect, useState } from "preact/hooks";
import { byName, rated, useSkill } from "./fields";
import { list, plural, value } from "./format";
import { on } from "./live";
import { Page, State, useData } from "./parts";
import { set, to } from "./router";
import type { NodeView, PageOfNode, Snapshot } from "./types";

const offered = 50;

/** CompareWith asks for the other node. Names are read when somebody is about to write one. */
export function CompareWith({ node }: { node: string }) {
  const [name, type] = useState(""), [asked, ask] = useState(false);
  const nodes = useData<PageOfNode>(asked ? "/nodes?brief=1" : "");
  const names = list(nodes.data?.items).map((n) => n.node).filter((n) => n !== node && n.includes(name)).slice(0, offered);
  return <form class="filters" onSubmit={(e) => { e.preventDefault(); set("with", name.trim(), false); }}><label>Compare with <input list="others" value={name} required onFocus={() => ask(true)} onInput={(e) => type(e.currentTarget.value)} /></label><datalist id="others">{names.map((n) => <option key={n} value={n} />)}</datalist><button>Compare</button></form>;
}

const margin = 0.1;

/** Compare shows what two nodes differ in. */
export function Compare({ a, b }: { a: string; b: string }) {
  const left = useData<NodeView>("/nodes/" + encodeURIComponent(a)), right = useData<NodeView>("/nodes/" + encodeURIComponent(b));
  useEffect(() => on("nodes", (e) => { if (e.subject === "nodes." + a) left.reload(); if (e.subject === "nodes." + b) right.reload(); }), [a, b]);
  return <Page title={`${a} and ${b}`} actions={<><a class="button" href={`${to("nodes", b)}?with=${encodeURIComponent(a)}`}>Swap</a><a class="button" href={to("nodes", a)}>Only {a}</a></>}>
    <p class="quiet">Only what differs: numbers by more than {100 * margin} %, everything else at all. Of counters how fast they grow, where both are known.</p>
    <State of={left}>{(l) => <State of={right}>{(r) => {
      const both = pairs(l, r), lone = [...only(l, both.map(([x]) => x)), ...only(r, both.map(([, y]) => y))];
      return <>
        <Differences title="The host" names={[a, b]} of={[host(l), host(r)]} />
        {both.map(([x, y]) => <Pair key={x.target + "/" + x.skill} left={x} right={y} />)}
        {lone.length > 0 && <><h2>On one of them only</h2><ul>{lone.map((s) => <li key={s.id}>{s.node}: {s.skill} of {s.target}</li>)}</ul></>}
      </>;
    }}</State>}</State>
  </Page>;
}

const host = (v: NodeView): [string, unknown][] => [["probe", v.version], ["state", v.state], ...Object.entries(v.labels ?? {})];

/** pairs are the snapshots of a skill that both have: of targets of one name, else of one kind. */
function pairs(l: NodeView, r: NodeView): [Snapshot, Snapshot][] {
  const free = new Set(list(r.snapshots)), out: [Snapshot, Snapshot][] = [];
  for (const named of [true, false])
    for (const x of only(l, out.map(([x]) => x))) {
      const y = [...free].find((y) => y.skill === x.skill && y.kind === x.kind && (y.target === x.target || !named));
      if (y) { free.delete(y); out.push([x, y]); }
    }
  return out.sort(([x], [y]) => byName([x.target + "/" + x.skill, 0], [y.target + "/" + y.skill, 0]));
}

const only = (v: NodeView, paired: Snapshot[]) => list(v.snapshots).filter((s) => !paired.includes(s));

function Pair({ left, right }: { left: Snapshot; right: Snapshot }) {
  const l = useSkill(left), r = useSkill(right), metric = (name: string) => l.metric(name) ?? r.metric(name), counts = (name: string) => metric(name)?.kind === "counter";
  // A total says how long ago a counter began: one is compared where both rates are known.
  const fields = (s: Snapshot, rate: (name: string) => number | undefined) => Object.entries(s.data ?? {}).flatMap(([name, x]): [string, unknown][] => !counts(name) ? [[name, x]] : l.rate(name) !== undefined && r.rate(name) !== undefined ? [[name, rate(name)]] : []);
  const written = (name: string, x: unknown) => counts(name) && typeof x === "number" ? rated(x, metric(name)) : value(x, metric(name)?.unit);
  return <Differences title={left.target === right.target ? `${left.skill} of ${left.target}` : `${left.skill} of ${left.target} and ${right.target}`} names={[left.node, right.node]} of={[fields(left, l.rate), fields(right, r.rate)]} write={written} />;
}

/** Differences is a table of the fields that two have different values of. */
function Differences({ title, names, of, write = (_, x) => value(x) }: { title: string; names: [string, string]; of: [[string, unknown][], [string, unknown][]]; write?: (name: string, x: unknown) => string }) {
  const [l, r] = [new Map(of[0]), new Map(of[1])], all = [...new Set([...l.keys(), ...r.keys()])].sort();
  const different = all.filter((name) => differ(l.get(name), r.get(name)));
  return <section aria-label={title}><h2>{title} <span class="quiet">{different.length ? `${different.length} of ${plural(all.length, "field")} differ` : `none of ${plural(all.length, "field")} differs`}</span></h2>
    {different.length > 0 && <div class="scroll fields" tabIndex={0} role="region" aria-label={`Differences: ${title}`}><table><thead><tr><th scope="col">field</th>{names.map((n) => <th key={n} scope="col" class="n">{n}</th>)}</tr></thead>
      <tbody>{different.map((name) => <tr key={name}><th scope="row">{name}</th>{[l, r].map((x, k) => <td key={k} class={typeof x.get(name) === "number" ? "n" : "text"}>{write(name, x.get(name))}</td>)}</tr>)}</tbody></table></div>}
  </section>;
}

const differ = (x: unknown, y: unknown) => typeof x === "number" && typeof y === "number" ? Math.abs(x - y) > margin * Math.max(Math.abs(x), Math.abs(y)) : x !== y;
