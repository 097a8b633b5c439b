// What the worst nodes have in common.
import { useMemo } from "preact/hooks";
import { set } from "./router";
import { term, type Row } from "./rows";
import type { Node } from "./types";

/** Common says which labels the worst nodes have more often than the rest: the critical ones, or where there are none those with a warning. */
export function Common({ rows }: { rows: Row[] }) {
  const found = useMemo(() => common(rows), [rows]);
  if (!found) return null;
  const { worst, of, lines } = found;
  return <section aria-labelledby="common"><h2 id="common">What the {of} {worst} ones have in common</h2><table><thead><tr><th scope="col">label</th><th scope="col" class="n">of them</th><th scope="col" class="n">of the rest</th></tr></thead>
    <tbody>{lines.map((l) => <tr key={l.label}><th scope="row"><button type="button" class="plain" onClick={() => set("q", term(...apart(l.label)), false)}>{l.label}</button></th><td class="n">{l.k} of {of}</td><td class="n">{(100 * l.rest).toFixed(1)} %</td></tr>)}</tbody></table></section>;
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

const apart = (label: string): [string, string] => { const k = label.indexOf("="); return [label.slice(0, k), label.slice(k + 1)]; };
