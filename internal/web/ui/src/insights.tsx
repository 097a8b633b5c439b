// What is wrong now, and what was.
import { useEffect } from "preact/hooks";
import { query } from "./api";
import { ago, list, plural, span } from "./format";
import { on } from "./live";
import { Fresh, Mark, Page, State, useData, useList, When } from "./parts";
import { place, set, to } from "./router";
import type { Insight, Investigation, PageOfInvestigation } from "./types";

export const severityOf = (i: Insight) => (i.correlation_type === "none" ? "none" : i.severity);

const order = ["critical", "warning", "info"]; // the newest first within each

export function Insights() {
  const q = place.value.query;
  const severity = q.get("severity") ?? "", node = q.get("node") ?? "", since = q.get("since") ?? "168h";
  const page = useList<Insight>("/insights" + query({ severity, node, since, limit: 200 }));
  const going = useData<PageOfInvestigation>("/investigations?since=24h&limit=50");
  useEffect(() => on("insights", page.reload), []);
  useEffect(() => on("investigations", going.reload), []);
  const running = list(going.data?.items).filter((i) => i.state === "running");
  return <Page title="Insights" actions={<a class="button" href="/silences">Silences</a>}>
    <form class="filters" role="search" onSubmit={(e) => e.preventDefault()}>
      <label>Severity <select value={severity} onChange={(e) => set("severity", e.currentTarget.value, false)}><option value="">all</option><option>critical</option><option>warning</option><option>info</option></select></label>
      <label>Node <input id="filter" value={node} placeholder="any" onChange={(e) => set("node", e.currentTarget.value.trim(), false)} /></label>
      <label>Since <select value={since} onChange={(e) => set("since", e.currentTarget.value, false)}><option value="24h">a day</option><option value="168h">a week</option><option value="720h">30 days</option></select></label>
    </form>
    <Fresh of={page} />
    {running.length > 0 && <section aria-label="Investigations that run"><h2>Running</h2><ul class="rows">{running.map((i) => <Running key={i.id} of={i} />)}</ul></section>}
    <State of={page} empty={(d) => list(d.items).length === 0 && <Nothing last={list(going.data?.items)[0]} />}>{(d) => {
      const wrong = page.shown.filter((i) => severityOf(i) !== "none").sort((a, b) => order.indexOf(a.severity) - order.indexOf(b.severity)), fine = page.shown.filter((i) => severityOf(i) === "none");
      return <>
        {wrong.length === 0 && fine[0] && !severity && !node && <p class="sentence">Nothing is open. The last investigation, <When at={fine[0].created_at} />, found nothing wrong; it looked at {plural(list(fine[0].nodes).length, "node")} with {list(fine[0].skills).join(", ")}.</p>}
        {wrong.length > 0 && <section aria-labelledby="open"><h2 id="open">{plural(wrong.length, "finding")}</h2><Rows of={wrong} /></section>}
        {d.next && <p class="quiet">Only the newest {list(d.items).length} are shown: choose a severity or a node.</p>}
        {fine.length > 0 && <section aria-labelledby="fine"><h2 id="fine">Nothing was wrong</h2><Rows of={fine} /></section>}
      </>;
    }}</State>
  </Page>;
}

const Rows = ({ of }: { of: Insight[] }) => <ul class="rows">{of.map((i) => <li key={i.id} class="row">
  <Mark of={severityOf(i)} short />
  <div><a class="title" href={to("insights", i.id)}>{i.summary}</a>
    <p class="quiet"><When at={i.created_at} /> · {ago(i.created_at)} · {plural(list(i.nodes).length, "node")} · {list(i.skills).join(", ")} · {byWhom(i.model)} · {i.hypothesis_grounded ? "grounded" : "not grounded"}</p></div>
</li>)}</ul>;

export const byWhom = (model: string) => (model.startsWith("rules") ? "rules analyst, no LLM used" : model);

const Running = ({ of }: { of: Investigation }) => <li class="row"><Mark of="running" short /><div><a class="title" href={to("investigations", of.id)}>{of.request?.reason ?? of.id}</a>
  <p class="quiet">for {of.accepted_at ? span(Date.now() - new Date(of.accepted_at).getTime()) : "a moment"}</p></div></li>;

const Nothing = ({ last }: { last: Investigation | undefined }) => <>
  <p>Nothing is open: nothing was concluded in this time.</p>
  {last ? <p>The last investigation, <When at={last.accepted_at} />, was <a href={to("investigations", last.id)}>{last.request?.reason ?? last.id}</a>.</p>
    : <p>Start a probe on each host and ask: <code>fleetlens investigate "is this host healthy?"</code>, or <a href="/ask">ask here</a>.</p>}
</>;
