// What is being done, and what was: investigations, and the journals of their runs.
import { useEffect, useRef, useState } from "preact/hooks";
import { api, post, Problem, query } from "./api";
import { ago, list, number, plural, span, time, zone } from "./format";
import { pageOfSteps, Steps } from "./journal";
import { on } from "./live";
import { Copy, Fresh, Mark, Needs, Page, Raw, State, useData, useList, When, Wrong } from "./parts";
import { Timeline } from "./timeline";
import { place, set, to } from "./router";
import { mayWrite, reader } from "./me";
import { cost } from "./insight";
import type { Investigation, InvestigationView, PageOfRecord } from "./types";

export function Investigations() {
  const since = place.value.query.get("since") ?? "24h";
  const page = useList<Investigation>("/investigations" + query({ since, limit: 200 }));
  useEffect(() => on("investigations", page.reload), []);
  return <Page title="Investigations" actions={<a class="button" href="/ask">Ask</a>}>
    <form class="filters"><label>Since <select value={since} onChange={(e) => set("since", e.currentTarget.value, false)}><option value="1h">an hour</option><option value="24h">a day</option><option value="168h">a week</option></select></label></form>
    <Fresh of={page} />
    <State of={page} empty={(d) => !list(d.items).length && <p>Nobody asked anything in this time. <a href="/ask">Ask something</a>, or <code>fleetlens investigate "…"</code>.</p>}>{() =>
      <ul class="rows">{page.shown.map((i) => <li key={i.id} class="row"><Mark of={i.state} short /><div><a class="title" href={to("investigations", i.id)}>{i.request?.reason ?? i.id}</a>
        <p class="quiet"><When at={i.accepted_at} /> · {ago(i.accepted_at)} · {i.ended_at && i.accepted_at ? "took " + span(Date.parse(i.ended_at) - Date.parse(i.accepted_at)) : "goes on"} · {plural(i.insights, "insight")}{i.usage ? ` · ${number(i.usage.input_tokens + i.usage.output_tokens)} tokens` : ""} {i.error}</p></div></li>)}</ul>}</State>
  </Page>;
}

export function InvestigationPage({ id }: { id: string }) {
  const v = useData<InvestigationView>("/investigations/" + encodeURIComponent(id)), [wrong, fail] = useState<Problem>(), asks = useRef<HTMLDialogElement>(null);
  useEffect(() => on("investigations", (e) => e.subject.includes(id) && v.reload()), [id]);
  useEffect(() => on("findings", (e) => e.subject.endsWith("." + id) && v.reload()), [id]);
  const d = v.data;
  const cancel = () => void api("/investigations/" + encodeURIComponent(id), { method: "DELETE" }).then(() => { fail(undefined); v.reload(); }, fail);
  return <Page title={d?.request?.reason ?? "Investigation " + id} actions={d?.state === "running" && <><button type="button" disabled={!mayWrite.value} onClick={() => asks.current?.showModal()}>Cancel</button><Needs /></>}>
    <dialog ref={asks} aria-labelledby="sure"><h2 id="sure">Cancel this investigation?</h2><p>Its {plural(list(d?.runs).length, "run")} {list(d?.runs).length === 1 ? "ends" : "end"} with it.</p><form method="dialog" class="buttons"><button onClick={cancel}>Cancel it</button> <button>Let it go on</button></form></dialog>
    {wrong && <Wrong problem={wrong} />}
    <State of={v}>{(d) => <>
      <ul class="chips"><li><Mark of={d.state} /></li>{d.accepted_at && <li>asked <When at={d.accepted_at} /> {zone()}</li>}{d.ended_at && d.accepted_at && <li>took {span(Date.parse(d.ended_at) - Date.parse(d.accepted_at))}</li>}
        {d.state === "running" && d.deadline && <Left from={d.accepted_at} to={d.deadline} />}{d.request?.strategy && <li>{d.request.strategy}</li>}{step(d) > 0 && <li>step {step(d)}{d.request?.max_iterations ? ` of ${d.request.max_iterations}` : ""}</li>}
        {d.usage && <li>{number(d.usage.input_tokens + d.usage.output_tokens)} tokens{d.request?.max_tokens ? ` of ${number(d.request.max_tokens)}` : ""}{cost(d.usage)}</li>}{d.error && <li>{d.error}</li>}</ul>
      <section aria-labelledby="concl"><h2 id="concl">Conclusions</h2>{list(d.conclusions).length ? <ul class="rows">{list(d.conclusions).map((i) => <li key={i.id} class="row"><Mark of={i.correlation_type === "none" ? "none" : i.severity} short /><a class="title" href={to("insights", i.id)}>{i.summary}</a></li>)}</ul> : <p class="quiet">None yet.</p>}</section>
      <section aria-labelledby="runs"><h2 id="runs">Runs</h2><Timeline runs={list(d.runs)} since={d.accepted_at} /></section>
      <section aria-labelledby="found"><h2 id="found">Findings</h2>{list(d.notifications).length ? <ul class="rows">{list(d.notifications).map((n) => <li key={n.id} class="row"><Mark of={n.severity} short /><div>{n.observation} <p class="quiet">{n.verified ? "✓ verified" : "? not verified"} · {n.operator} · <a href={to("nodes", n.node)}>{n.node}</a>/{n.target} · <When at={n.detected_at} /></p></div></li>)}</ul> : <p class="quiet">None.</p>}</section>
      {d.state === "running" && <Tell id={id} />}
      <section aria-labelledby="prog"><h2 id="prog">Progress</h2>{!list(d.progress).length && <p class="quiet">None was told.</p>}<ol class="log">{list(d.progress).map((p, k) => <li key={k}><time>{time(p.at)}</time> {p.agent}: {p.text}</li>)}</ol></section>
      <Raw of={d.request} />
    </>}</State>
  </Page>;
}

/** step is how far its coordinator is. */
const step = (v: InvestigationView) => Math.max(0, ...list(v.progress).filter((p) => p.agent === "coordinator").map((p) => p.step));

/** Left is how long an investigation may still take, as a bar that shrinks. */
function Left({ from, to }: { from: string | undefined; to: string }) {
  const [now, turn] = useState(Date.now());
  useEffect(() => { const t = setInterval(() => turn(Date.now()), 1000); return () => clearInterval(t); }, []);
  const left = Math.max(0, Date.parse(to) - now), whole = Date.parse(to) - Date.parse(from ?? to);
  return <li><label>{span(left)} left, until <When at={to} short /> <progress max={whole || 1} value={left} /></label></li>;
}

/** Tell says something to an investigation that runs. */
function Tell({ id }: { id: string }) {
  const [text, write] = useState(""), [told, add] = useState<string[]>([]), [wrong, fail] = useState<Problem>();
  const tell = (e: Event) => {
    e.preventDefault();
    if (text.trim()) post(`/investigations/${encodeURIComponent(id)}/tell`, { text }).then(() => { add((l) => [...l, text]); write(""); fail(undefined); }, fail);
  };
  return <section aria-labelledby="tell"><h2 id="tell">Tell it something</h2>{wrong && <Wrong problem={wrong} />}<ul>{told.map((t, k) => <li key={k}>{t}</li>)}</ul>
    <form onSubmit={tell}><label class="wide">What it should know <input value={text} placeholder="leave db-2 out, it is being drained" onInput={(e) => write(e.currentTarget.value)} disabled={reader.value} /></label> <button disabled={!mayWrite.value}>Tell</button><Needs /></form></section>;
}

export function RunPage({ run }: { run: string }) {
  const from = Number(place.value.query.get("from") ?? "1") || 1;
  const v = useData<PageOfRecord>("/runs/" + encodeURIComponent(run) + query({ from, limit: pageOfSteps }));
  const records = list(v.data?.items), began = records[0]?.at;
  const pages = (next?: string) => (from > 1 || next) && <p class="pages">{from > 1 && <a href={to("runs", run) + query({ from: Math.max(1, from - pageOfSteps) })}>the {pageOfSteps} before</a>} {next && <a href={to("runs", run) + query({ from: next })}>the {pageOfSteps} after</a>}</p>;
  return <Page title={"Run " + run} actions={<><Copy text={run} what="the run's id">Copy id</Copy> <Copy text={"fleetlens run replay " + run} what="the command that replays it">Copy replay</Copy></>}>
    <State of={v} empty={(d) => !list(d.items).length && <p>No records from {from} on.</p>}>{(d) => <>
      <p class="quiet">{from > 1 && "From record " + from + ". "}Times count from <When at={began} /> {zone()}.</p>
      {pages(d.next)}
      <Steps records={records} />
      {pages(d.next)}
    </>}</State>
  </Page>;
}
