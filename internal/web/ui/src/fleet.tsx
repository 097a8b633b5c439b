// Which of many hosts differ, and by what.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { Common } from "./common";
import { ago, list, number, plural } from "./format";
import { Groups } from "./groups";
import { on } from "./live";
import { useOutliers } from "./outliers";
import { Page, State, useData } from "./parts";
import { place, set } from "./router";
import { judge, wanted, type Beat } from "./rows";
import type { Node, PageOfInsight, PageOfNode } from "./types";
import { Window } from "./window";

export function Fleet() {
  const filter = place.value.query.get("q") ?? "";
  const page = useData<PageOfNode>("/nodes?brief=1");
  const insights = useData<PageOfInsight>("/insights?since=24h&limit=1000");
  const outliers = useOutliers(!!page.data), away = outliers.data?.uncompared ?? 0;
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
  const rows = useMemo(() => judge(read, list(insights.data?.items), beats, outliers.by), [read, insights.data, outliers.by, turn]);
  const shown = useMemo(() => (filter ? rows.filter(wanted(filter)) : rows), [rows, filter]);
  const n = useMemo(() => {
    const c: { [state: string]: number } = {};
    for (const r of rows) c[r.state] = (c[r.state] ?? 0) + 1;
    return c;
  }, [rows]);
  const newest = useMemo(() => { let at = 0; for (const b of [...read.values(), ...beats.values()]) at = Math.max(at, b.seen); return at; }, [read, turn]);
  return <Page title="Fleet">
    <State of={page} empty={() => !rows.length && <><p>No probe has reported yet. On each host:</p><pre>probe --server nats://YOUR-SERVER:4222</pre><p>or try everything on this machine: <code>fleetlens up</code>. This page turns into the first node by itself.</p></>}>{() => <>
      <p class="sentence">{number(n.critical ?? 0)} critical, {number(n.warning ?? 0)} warning, {number(n.silent ?? 0)} silent of {plural(rows.length, "node")}; newest heartbeat {ago(newest)}.</p>
      <div class="columns"><Common rows={rows} /><Groups rows={rows} /></div>
      <form class="filters" role="search" onSubmit={(e) => e.preventDefault()}><label class="wide">Filter <input id="filter" value={filter} placeholder="web-1 role:web state:silent" onInput={(e) => set("q", e.currentTarget.value)} /></label><p class="quiet" role="status">{filter && `${number(shown.length)} match`}</p></form>
      <Window rows={shown} filter={filter} />
      {away > 0 && <p class="quiet">Without a comparison: {plural(away, "node")}, since peers are read for those that stand out most.</p>}
      {outliers.error && <p class="quiet">What nodes stand out by could not be read: {outliers.error.message}</p>}
    </>}</State>
  </Page>;
}
