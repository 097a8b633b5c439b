// How the nodes of each value of a label fare, in numbers: of 2,500 one would be no bar.
import { useMemo } from "preact/hooks";
import { number } from "./format";
import { place, set } from "./router";
import { term, type Row } from "./rows";

const most = 50, usual = ["role", "app", "service"];

/** Groups shows the worst groups by a label; a click on one filters the list. */
export function Groups({ rows }: { rows: Row[] }) {
  const labels = useMemo(() => labelsOf(rows), [rows]), chosen = place.value.query.get("group"), by = chosen ?? useful(labels, rows.length);
  const groups = useMemo(() => (by === undefined ? [] : groupsOf(rows, by)), [rows, by]);
  if (by === undefined) return null;
  const names = [...new Set([...labels.keys(), by])].sort();
  return <section aria-labelledby="groups"><h2 id="groups">Groups</h2>
    <form class="filters" onSubmit={(e) => e.preventDefault()}><label>By label <select value={by} onChange={(e) => set("group", e.currentTarget.value, false)}>{names.map((n) => <option key={n}>{n}</option>)}</select></label></form>
    <div class="scroll groups" tabIndex={0} role="region" aria-label={`Groups by ${by}, the worst first`}><table>
      <thead><tr><th scope="col">{by}</th><th scope="col" class="n">nodes</th><th scope="col" class="n">critical</th><th scope="col" class="n">warning</th><th scope="col" class="n">silent</th><th scope="col" class="n">stand out</th></tr></thead>
      <tbody>{groups.slice(0, most).map((g) => <tr key={g.value}><th scope="row"><button type="button" class="plain" onClick={() => set("q", term(by, g.value), false)}>{g.value || `without ${by}`}</button></th><td class="n">{number(g.nodes)}</td><td class="n">{number(g.critical)}</td><td class="n">{number(g.warning)}</td><td class="n">{number(g.silent)}</td><td class="n">{number(g.odd)}</td></tr>)}</tbody></table></div>
    {groups.length > most && <p class="quiet">{number(groups.length - most)} more, none of them worse.</p>}
  </section>;
}

interface Group { value: string; nodes: number; critical: number; warning: number; silent: number; odd: number }

function groupsOf(rows: Row[], by: string): Group[] {
  const all = new Map<string, Group>();
  for (const r of rows) {
    const v = r.node.labels?.[by] ?? "";
    let g = all.get(v);
    if (!g) all.set(v, (g = { value: v, nodes: 0, critical: 0, warning: 0, silent: 0, odd: 0 }));
    g.nodes++;
    if (r.odd) g.odd++;
    if (r.state === "critical" || r.state === "warning" || r.state === "silent") g[r.state]++;
  }
  return [...all.values()].sort((a, b) => b.critical - a.critical || b.silent - a.silent || b.warning - a.warning || b.odd - a.odd || b.nodes - a.nodes || (a.value < b.value ? -1 : 1));
}

/** labelsOf returns how many values each label has, and how many nodes have it. */
function labelsOf(rows: Row[]): Map<string, { values: Set<string>; nodes: number }> {
  const all = new Map<string, { values: Set<string>; nodes: number }>();
  for (const r of rows) for (const name in r.node.labels) {
    let l = all.get(name);
    if (!l) all.set(name, (l = { values: new Set(), nodes: 0 }));
    l.values.add(r.node.labels[name]!);
    l.nodes++;
  }
  return all;
}

/** useful returns the label that is shown until another is chosen: one with a few values that most nodes have, what they are for before others. */
function useful(labels: ReturnType<typeof labelsOf>, nodes: number): string | undefined {
  const names = [...labels.keys()].sort();
  return [...usual, ...names].find((name) => { const l = labels.get(name); return l && l.values.size > 1 && l.values.size <= most && 2 * l.nodes > nodes; }) ?? names[0];
}
