// What is being done, and what was: investigations, and the journals of their runs.
import { useEffect } from "preact/hooks";
import { api, get, query } from "./api";
import { ago, list, number, plural, span, time } from "./format";
import { on } from "./live";
import { Copy, Mark, Page, Raw, State, useData, When } from "./parts";
import { place, set, to } from "./router";
import { mayWrite } from "./me";
import type { InvestigationView, PageOfInvestigation, PageOfRecord, Record as Step } from "./types";

export function Investigations() {
  const since = place.value.query.get("since") ?? "24h";
  const page = useData(() => get<PageOfInvestigation>("/investigations" + query({ since, limit: 200 })), [since]);
  useEffect(() => on("investigations", () => page.reload()), []);
  return <Page title="Investigations" actions={<a class="button" href="/ask">Ask</a>}>
    <form class="filters"><label>Since <select value={since} onChange={(e) => set("since", e.currentTarget.value)}><option value="1h">an hour</option><option value="24h">a day</option><option value="168h">a week</option></select></label></form>
    <State of={page} empty={(d) => !list(d.items).length && <p>Nobody asked anything in this time. <a href="/ask">Ask something</a>, or <code>fleetlens investigate "…"</code>.</p>}>{(d) =>
      <ul class="rows">{list(d.items).map((i) => <li key={i.id} class="row"><Mark of={i.state} short /><div><a class="title" href={to("investigations", i.id)}>{i.request?.reason ?? i.id}</a>
        <p class="quiet"><When at={i.accepted_at} /> · {ago(i.accepted_at)} · {i.ended_at && i.accepted_at ? "took " + span(Date.parse(i.ended_at) - Date.parse(i.accepted_at)) : "goes on"} · {plural(i.insights, "insight")}{i.usage ? ` · ${number(i.usage.input_tokens + i.usage.output_tokens)} tokens` : ""} {i.error}</p></div></li>)}</ul>}</State>
  </Page>;
}

export function InvestigationPage({ id }: { id: string }) {
  const v = useData(() => get<InvestigationView>("/investigations/" + encodeURIComponent(id)), [id]);
  useEffect(() => on("investigations", (e) => e.subject.includes(id) && v.reload()), [id]);
  useEffect(() => on("findings", (e) => e.subject.endsWith("." + id) && v.reload()), [id]);
  const d = v.data;
  const cancel = () => confirm(`Cancel it, with its ${list(d?.runs).length} runs?`) && void api("/investigations/" + encodeURIComponent(id), { method: "DELETE" }).then(v.reload, (e: Error) => alert(e.message));
  return <Page title={d?.request?.reason ?? "Investigation " + id} actions={d?.state === "running" && <button type="button" disabled={!mayWrite.value} onClick={cancel}>Cancel</button>}>
    <State of={v}>{(d) => <>
      <ul class="chips"><li><Mark of={d.state} /></li>{d.accepted_at && <li>asked <When at={d.accepted_at} /></li>}{d.ended_at && d.accepted_at && <li>took {span(Date.parse(d.ended_at) - Date.parse(d.accepted_at))}</li>}
        {d.state === "running" && d.deadline && <li>until <When at={d.deadline} /></li>}{d.usage && <li>{number(d.usage.input_tokens + d.usage.output_tokens)} tokens</li>}{d.error && <li>{d.error}</li>}</ul>
      <section aria-labelledby="concl"><h2 id="concl">Conclusions</h2>{list(d.conclusions).length ? <ul class="rows">{list(d.conclusions).map((i) => <li key={i.id} class="row"><Mark of={i.correlation_type === "none" ? "none" : i.severity} short /><a class="title" href={to("insights", i.id)}>{i.summary}</a></li>)}</ul> : <p class="quiet">None yet.</p>}</section>
      <section aria-labelledby="runs"><h2 id="runs">Runs</h2><ul class="rows">{list(d.runs).map((r) => <li key={r.run_id} class="row"><Mark of={r.outcome || "running"} short /><div><a href={to("runs", r.run_id)}>{r.skill || "coordinator"}</a> <span class="quiet">{plural(list(r.targets).length, "target")} {r.state} {r.error}</span></div></li>)}</ul></section>
      <section aria-labelledby="found"><h2 id="found">Findings</h2>{list(d.notifications).length ? <ul class="rows">{list(d.notifications).map((n) => <li key={n.id} class="row"><Mark of={n.severity} short /><div>{n.observation} <p class="quiet">{n.verified ? "✓ verified" : "? not verified"} · {n.operator} · <a href={to("nodes", n.node)}>{n.node}</a>/{n.target} · <When at={n.detected_at} /></p></div></li>)}</ul> : <p class="quiet">None.</p>}</section>
      <section aria-labelledby="prog"><h2 id="prog">Progress</h2><ol class="log">{list(d.progress).map((p, k) => <li key={k}><time>{time(p.at)}</time> {p.agent}: {p.text}</li>)}</ol></section>
      <Raw of={d.request} />
    </>}</State>
  </Page>;
}

export function RunPage({ run }: { run: string }) {
  const from = Number(place.value.query.get("from") ?? "1") || 1;
  const v = useData(() => get<PageOfRecord>("/runs/" + encodeURIComponent(run) + query({ from, limit: 200 })), [run, from]);
  const first = list(v.data?.items)[0]?.at;
  return <Page title={"Run " + run} actions={<Copy text={run} what="the run's id" />}>
    <State of={v} empty={(d) => !list(d.items).length && <p>No records from {from} on.</p>}>{(d) => <>
      <ol class="steps">{list(d.items).map((r) => <Record key={r.n} of={r} began={first} open={place.value.hash === String(r.n)} />)}</ol>
      {(from > 1 || d.next) && <p>{from > 1 && <a href={to("runs", run) + query({ from: Math.max(1, from - 200) })}>before</a>} {d.next && <a href={to("runs", run) + query({ from: d.next })}>after</a>}</p>}
    </>}</State>
  </Page>;
}

/** One record of a journal, in a line, and whole when it is opened. */
function Record({ of, began, open }: { of: Step; began: string | undefined; open: boolean }) {
  return <li id={String(of.n)} class={"step step-" + of.kind}><details open={open}><summary><span class="n">{of.n}</span> <span class="quiet">{began ? "+" + span(Date.parse(of.at) - Date.parse(began)) : ""}</span> <strong>{of.kind}</strong> {gist(of)}</summary>
    <p class="quiet">{of.worker} · <When at={of.at} /> · <a href={"#" + of.n}>link</a></p><pre>{JSON.stringify(of.data, null, 2)}</pre></details></li>;
}

const cut = (s: unknown, n = 160) => { const t = String(s ?? ""); return t.length > n ? t.slice(0, n) + "…" : t; };

function gist(r: Step): string {
  const d = (r.data ?? {}) as { [key: string]: any };
  switch (r.kind) {
    case "start": return cut(`${d.agent ?? ""} ${d.user ?? ""}`);
    case "claim": return `worker ${d.worker}, attempt ${d.attempt}${d.attempt > 1 ? ": another one was lost, this one went on" : ""}`;
    case "answer": return cut(`${d.model ?? ""} ${d.text ?? ""} ${list<any>(d.calls).map((c) => c.tool + " " + c.args).join(" · ")}`);
    case "result": return cut(`${d.tool} ${d.failed ? "failed: " : d.invalid ? "refused: " : ""}${d.content ?? ""}`);
    case "retry": return cut(`attempt ${d.attempt}: ${d.error}`);
    case "finished": return cut(`${d.outcome} ${d.error ?? ""}`);
    case "input": return cut(d.text);
    case "cancel": return cut(`${d.by} ${d.reason ?? ""}`);
  }
  return "";
}
