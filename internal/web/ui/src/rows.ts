// What there is to say of each node, and which of them a filter wants.
import { list, value } from "./format";
import type { Insight, Node, Outlier } from "./types";

/** Row is a node as the list of them shows it. */
export interface Row {
  node: Node;
  state: string;
  odd: boolean; // whether it stands out from its peers
  why: string;
  more: string; // what stands behind it
  rank: number; // the worst first
}

export interface Beat { node: Node; seen: number }

const ranks: { [state: string]: number } = { critical: 4, silent: 3, warning: 2, info: 1 };

const hour = 3_600_000;

/** judge says of each node how it is, the worst first and among equals those that stand out. */
export function judge(read: Map<string, Beat>, insights: Insight[], beats: Map<string, Beat>, outliers: Map<string, Outlier>): Row[] {
  const by = new Map<string, Insight>();
  for (const i of insights) if (i.correlation_type !== "none") for (const name of list(i.nodes)) if (!by.has(name) || ranks[i.severity]! > ranks[by.get(name)!.severity]!) by.set(name, i);
  const now = Date.now(), all = [...read.values()];
  for (const [name, b] of beats) if (!read.has(name)) all.push(b);
  return all.map((old) => {
    const { node, seen } = beats.get(old.node.node) ?? old;
    const silent = now - seen > 3 * node.interval_ms + 2000;
    const i = by.get(node.node), found = outliers.get(node.node), o = found && now - Date.parse(found.detected_at) < hour ? found : undefined;
    const state = i?.severity === "critical" ? "critical" : silent ? "silent" : i && i.severity !== "info" ? i.severity : "alive";
    return { node, state, odd: !!o, why: o ? short(o) : i?.summary ?? (silent ? "no beat" : ""), more: o ? [i?.summary, long(o)].filter(Boolean).join(" · ") : i?.summary ?? "", rank: (ranks[state] ?? 0) + (o ? 0.5 : 0) };
  }).sort((a, b) => b.rank - a.rank || (a.node.node < b.node.node ? -1 : 1));
}

const short = (o: Outlier) => `${o.metric} ${value(o.value, o.unit)} (${o.peers_median === undefined ? `usually ${value(o.baseline, o.unit)}` : `peers ${value(o.peers_median, o.unit)}`})`;

const long = (o: Outlier) => `${o.skill} of ${o.target}: usually ${value(o.baseline, o.unit)} here` + (o.peers ? `; peers: the median of ${o.peers}${o.among ? ` with ${o.among}` : ""}` : "");

/** wanted reads a filter: words of a name or of what it stands out by, label:value pairs ("label:" is none) and state:x. Quotes keep spaces. */
export function wanted(filter: string): (r: Row) => boolean {
  const words = [...filter.toLowerCase().matchAll(/(?:"[^"]*"|[^\s"])+/g)].map(([m]) => m.replaceAll('"', "")).map((w) => { const k = w.indexOf(":"); return [k < 0 ? w : w.slice(0, k), k < 0 ? undefined : w.slice(k + 1)] as const; });
  return (r) => words.every(([name, v]) => v === undefined ? [r.node.node, r.why, r.more].some((text) => text.toLowerCase().includes(name))
    : name === "state" ? r.state === v : v ? labels(r).some(([k, x]) => k.toLowerCase() === name && x.toLowerCase() === v) : !labels(r).some(([k]) => k.toLowerCase() === name));
}

const labels = (r: Row) => Object.entries(r.node.labels ?? {});

/** term writes a label as a filter has it. */
export const term = (label: string, v: string) => `${label}:${/\s/.test(v) ? `"${v}"` : v}`;
