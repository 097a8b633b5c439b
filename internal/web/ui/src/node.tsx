// What a host says of itself.
import { useEffect } from "preact/hooks";
import { Compare, CompareWith } from "./compare";
import { Console } from "./console";
import { Fields } from "./fields";
import { ago, list, span, value } from "./format";
import { on } from "./live";
import { Fold, Mark, Page, Raw, Spark, State, useData, When } from "./parts";
import { place, to } from "./router";
import { Skills } from "./skills";
import type { NodeView, PageOfAnomaly, PageOfChange, PageOfInsight } from "./types";

/** NodePage shows a node, or where the address names another too what they differ in. */
export function NodePage({ node }: { node: string }) {
  const other = place.value.query.get("with");
  return other && other !== node ? <Compare a={node} b={other} /> : <Host node={node} />;
}

function Host({ node }: { node: string }) {
  const v = useData<NodeView>("/nodes/" + encodeURIComponent(node));
  const anomalies = useData<PageOfAnomaly>("/anomalies?since=24h&limit=50&node=" + encodeURIComponent(node));
  const changes = useData<PageOfChange>("/changes?since=168h&limit=50&node=" + encodeURIComponent(node));
  const insights = useData<PageOfInsight>("/insights?since=168h&limit=20&node=" + encodeURIComponent(node));
  useEffect(() => on("nodes", (e) => e.subject === "nodes." + node && v.reload()), [node]);
  useEffect(() => on("insights", insights.reload), [node]);
  return <Page title={node}>
    <State of={v}>{(d) => <>
      <ul class="chips"><li><Mark of={d.state} /></li><li>seen {ago(d.last_seen)}</li><li>probe {d.version}</li><li>its clock is {span(Math.abs(d.skew_ms))} {d.skew_ms > 0 ? "ahead" : "behind"}{Math.abs(d.skew_ms) > 2000 && <> <Mark of="warning" short /></>}</li>{Object.entries(d.labels ?? {}).map(([k, l]) => <li key={k}>{k}={l}</li>)}</ul>
      <CompareWith node={node} />
      <Skills of={d} anomalies={list(anomalies.data?.items)} />
      <section aria-labelledby="ins"><h2 id="ins">Insights</h2><ul class="rows">{list(insights.data?.items).map((i) => <li key={i.id} class="row"><Mark of={i.correlation_type === "none" ? "none" : i.severity} short /><a href={to("insights", i.id)}>{i.summary}</a></li>)}</ul>{!list(insights.data?.items).length && <p class="quiet">None in a week.</p>}</section>
      <div class="columns">
        <section aria-labelledby="an"><h2 id="an">Anomalies</h2><ul>{list(anomalies.data?.items).map((a) => <li key={a.id}><When at={a.detected_at} short /> {a.skill}.{a.metric} {value(a.value, a.unit)}, usually {value(a.baseline, a.unit)} <Spark points={a.series} label={a.metric} /></li>)}</ul>{!list(anomalies.data?.items).length && <p class="quiet">None in a day.</p>}</section>
        <section aria-labelledby="ch"><h2 id="ch">Changes</h2><ul>{list(changes.data?.items).map((c) => <li key={c.id}><When at={c.at} /> {c.what}: {c.text}</li>)}</ul>{!list(changes.data?.items).length && <p class="quiet">None in a week.</p>}</section>
      </div>
      {list(d.snapshots).map((s) => <section key={s.target + "/" + s.skill}><Fold id={s.target + "/" + s.skill} cls="snapshot"><summary>{s.skill} <span class="quiet">{s.target} · {ago(s.captured_at)}</span>{list(s.errors).length > 0 && <span class="quiet"> · not whole</span>}</summary>
        {list(s.errors).map((e, k) => <p key={k} class="wrong">{e}</p>)}
        <Fields of={s} /></Fold></section>)}
      <Console node={node} targets={list(d.targets).map((t) => t.name)} />
      <Raw of={d.links} />
    </>}</State>
  </Page>;
}
