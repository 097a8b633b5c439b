// Why, how sure, and who says so: answer first, then proof, then process.
import { useContext, useEffect, useState } from "preact/hooks";
import { post, Problem } from "./api";
import { list, number, plural, value, zone } from "./format";
import { on } from "./live";
import { Copy, Export, Fold, Link, Mark, Marked, Needs, Page, Plot, Raw, Spark, State, useData, usePainted, When, Wrong } from "./parts";
import { Timeline } from "./timeline";
import { FollowUp } from "./followup";
import { byWhom, severityOf } from "./insights";
import { Where } from "./radius";
import { place, set, to } from "./router";
import { mayWrite, reader, why } from "./me";
import { Similar } from "./similar";
import type { Evidence, Insight, InsightView, Notification, Said, Usage } from "./types";

export function InsightPage({ id }: { id: string }) {
  const view = useData<InsightView>("/insights/" + encodeURIComponent(id));
  useEffect(() => on("people", view.reload), []);
  useEffect(() => on("insights", view.reload), []); // one may take its place
  const i = view.data?.insight, answered = usePainted(!!i); // the answer first, then what proves it
  return <Page title={i?.summary ?? "Insight " + id} heading={i && <Marked text={i.summary} figures={i.figures} />} actions={i && <Actions of={i} said={view.data!.said} changed={view.reload} />}>
    <State of={view}>{(v) => answered ? <Whole v={v} changed={view.reload} /> : <p class="loading visually-hidden">Loading …</p>}</State>
  </Page>;
}

/** Whole is a conclusion with all that stands behind it. */
export function Whole({ v, changed }: { v: InsightView; changed: () => void }) {
  const i = v.insight, exported = useContext(Export);
  const figures = [...list(i.figures), ...list(v.facts).flatMap((f) => list(f.figures))];
  const found = figures.filter((f) => f.found).length;
  const verified = figures.length > 0 && found === figures.length;
  useEffect(() => { if (place.value.hash === "facts") document.getElementById("facts")?.scrollIntoView(); }, []);
  return <>
    {!exported && <Asked id={i.id} said={v.said} changed={changed} />}
    {v.superseded_by && <p class="banner">A later conclusion takes its place: <Link href={to("insights", v.superseded_by)}>{v.superseded_by}</Link></p>}
    <ul class="chips">
      <li><Mark of={severityOf(i)} /></li>
      <li class={verified ? "good" : ""} data-verified={found} data-figures={figures.length}>{verified ? "✓ " : ""}{found} of {plural(figures.length, "figure")} verified</li>
      <li class={i.hypothesis_grounded ? "good" : ""}>{i.hypothesis_grounded ? "grounded" : "not grounded"}: {i.grounding}</li>
      <li>confidence {i.confidence}</li>
      <li>{i.correlation_type}</li>
      <li>{byWhom(i.model)}{i.usage && i.usage.llm_calls > 0 ? ` · ${number(i.usage.input_tokens + i.usage.output_tokens)} tokens` : ""}{cost(i.usage)}</li>
      <li><When at={i.created_at} /> {zone()}</li>
    </ul>
    {i.root_cause_hypothesis && <section class="hypothesis" aria-label="Hypothesis"><p><strong>Not a fact:</strong> {i.root_cause_hypothesis}</p>
      {list(i.supporting_ids).length > 0 && <p class="quiet">supported by {list(i.supporting_ids).map((n) => <a key={n} href={"#" + n}>{n} </a>)}</p>}</section>}
    {list(i.chain).length > 0 && <section aria-labelledby="chain"><h2 id="chain">How it came about</h2><ol class="chain">{list(i.chain).map((c, k) => <li key={k}><span class="role">{c.role}</span> <When at={c.at} short /> {c.what} <span class="quiet">{c.node}</span>{c.evidence && <> <Link cls="quiet" href={"/evidence?address=" + encodeURIComponent(c.evidence)}>{exported ? c.evidence : "evidence"}</Link></>}</li>)}</ol></section>}
    <section aria-labelledby="facts"><h2 id="facts">Facts</h2>
      {list(v.facts).map((f) => <Fact key={f.id} of={f} kept={list(i.evidence)} />)}
      {list(v.facts).length === 0 && list(i.matched_observations).map((text, k) => <p key={k} class="fact">{text}</p>)}
      {list(v.expired).length > 0 && <p class="quiet">{plural(list(v.expired).length, "finding")} behind it {list(v.expired).length === 1 ? "is" : "are"} not kept any more (they are for 7 days). The figures below were stored with the insight.</p>}
      {list(i.evidence).length > 0 && <Fold id={list(v.expired).length ? "kept" : "all"} name={list(v.expired).length ? "closed" : "open"} inverse={list(v.expired).length > 0} cls="evidence"><summary>{list(i.evidence).length === 1 ? "The figure that it was concluded from" : `All ${list(i.evidence).length} figures that it was concluded from`}</summary>{list(i.evidence).map((e) => <Proof key={e.address} of={e} />)}</Fold>}
    </section>
    <div class="columns">
      <section aria-labelledby="out"><h2 id="out">Ruled out</h2>{list(i.ruled_out).length ? <ul>{list(i.ruled_out).map((t, k) => <li key={k}>{t}</li>)}</ul> : <p class="quiet">Nothing was.</p>}</section>
      <section aria-labelledby="not"><h2 id="not">Not looked at</h2>{list(i.not_checked).length ? <ul>{list(i.not_checked).map((t, k) => <li key={k}>{t}</li>)}</ul> : <p class="quiet">All that was asked for was looked at.</p>}</section>
    </div>
    <Where of={i} />
    {list(i.suggested_actions).length > 0 && <section aria-labelledby="do"><h2 id="do">What a person could do</h2><ul>{list(i.suggested_actions).map((t, k) => <li key={k}>{t}</li>)}</ul></section>}
    <section aria-labelledby="runs"><h2 id="runs">Who looked</h2><p><Link href={to("investigations", i.investigation_id)}>The investigation</Link>: {i.trigger}</p><Timeline runs={list(v.runs)} since={i.created_at} /></section>
    <Similar of={v.similar} />
    {!exported && <FollowUp id={i.investigation_id} />}
    <People id={i.id} said={v.said} changed={changed} />
    <Raw of={i} />
  </>;
}

/** Fact is one finding; it opens in place down to the value that proves it. */
function Fact({ of, kept }: { of: Notification; kept: Evidence[] }) {
  const proofs = [...list(of.evidence)];
  for (const f of list(of.figures)) {
    const e = f.evidence && kept.find((x) => x.address === f.evidence);
    if (e && !proofs.some((p) => p.address === e.address)) proofs.push(e);
  }
  const first = proofs.find((p) => list(p.series).length > 1);
  return <Fold id={of.id} name="fact" cls="fact">
    <summary><span class="verdict" aria-label={of.verified ? "verified" : "not verified"}>{of.verified ? "✓" : "?"}</span> <span class="what"><Marked text={of.observation} figures={of.figures} />
      {list(of.figures).filter((f) => !f.found && f.nearest).map((f, k) => <span key={k} class="quiet"> ({f.text}: found {f.nearest})</span>)}</span>
      {" "}<span class="quiet">{of.operator} · {of.node}/{of.target}</span>{first && <Spark points={first.series} label={first.name} />}</summary>
    <dl><dt>finding</dt><dd><code>{of.id}</code> <Copy text={of.id} what="the finding's id" /></dd><dt>seen</dt><dd><When at={of.detected_at} />{of.since && <> · since <When at={of.since} /></>}</dd><dt>about</dt><dd>{of.context}</dd>{of.origin && <><dt>from</dt><dd>{of.origin}</dd></>}</dl>
    {proofs.map((e) => <Proof key={e.address} of={e} />)}
    {proofs.length === 0 && <p class="quiet">No single value was kept with this finding.</p>}
    <Raw of={of} />
  </Fold>;
}

export function Proof({ of }: { of: Evidence }) {
  return <article class="proof"><h3>{of.name} {value(of.value, of.unit)}</h3>
    <p class="quiet">{of.node}{of.target && "/" + of.target} · <Link href={"/evidence?address=" + encodeURIComponent(of.address)}><code>{of.address}</code></Link> <Copy text={of.address} what="the address of the evidence" />
      {typeof of.threshold === "number" && <> · threshold {value(of.threshold, of.unit)}</>}{typeof of.baseline === "number" && <> · usually {value(of.baseline, of.unit)}</>}</p>
    <Plot of={of} /></article>;
}

function Actions({ of, said, changed }: { of: Insight; said: Said; changed: () => void }) {
  const acks = list(said.acks);
  return <>
    {acks.length > 0 ? <span class="quiet">{acks[acks.length - 1]!.by} looks after it</span> : <button type="button" disabled={!mayWrite.value} title={why.value} onClick={() => void post("/acks", { id: of.id, by: who() }).then(changed)}>Acknowledge</button>}
    <a class="button" href="#follow">Ask</a> <a class="button" href={"/silences?insight=" + encodeURIComponent(of.id)}>Silence</a>
    <Menu of={of} /> <Copy text={location.origin + to("insights", of.id)} what="the link">Copy link</Copy>
    {acks.length === 0 && <Needs />}
  </>;
}

/** Asked is what a link from a chat leads to: it says what a person was about to say, who says it here. */
function Asked({ id, said, changed }: { id: string; said: Said; changed: () => void }) {
  const [comment, write] = useState(""), [wrong, fail] = useState<Problem>(), { query } = place.value, acks = list(said.acks);
  const verdict = verdicts.find(([v]) => v === query.get("feedback"));
  if (!query.has("ack") && !verdict) return null;
  const leave = () => { set("ack", ""); set("feedback", ""); };
  const say = (e: Event) => {
    e.preventDefault();
    void (verdict ? post("/feedback", { id, by: who(), verdict: verdict[0], comment }) : post("/acks", { id, by: who() })).then(() => { leave(); changed(); }, fail);
  };
  return <form class="banner asked" aria-label="From a message" onSubmit={say}>
    {wrong && <Wrong problem={wrong} />}
    {verdict ? <label class="wide">{verdict[1]}. What was the cause? (if you know) <input value={comment} onInput={(e) => write(e.currentTarget.value)} disabled={reader.value} /></label>
      : <p>{acks.length > 0 ? acks[acks.length - 1]!.by + " looks after this already. Do you, too?" : "Do you look after this?"}</p>}
    <div class="buttons"><button type="submit" disabled={!mayWrite.value} title={why.value}>{verdict ? "Say “" + verdict[1] + "”" : "Yes, acknowledge"}</button> <button type="button" onClick={leave}>Leave it</button></div><Needs />
  </form>;
}

/** Menu has what one can take along. */
const Menu = ({ of }: { of: Insight }) => {
  const at = "/api/v1/insights/" + encodeURIComponent(of.id);
  return <details class="menu"><summary class="button">Export</summary><ul><li><a href={at + "/report.html"} download={of.id + ".html"}>A page (HTML)</a></li><li><a href={at + "/postmortem.md"} download={of.id + ".md"}>Postmortem (Markdown)</a></li><li><a href={at + "/bundle"} download={of.id + ".json"}>Everything (JSON)</a></li></ul></details>;
};

export const cost = (u: Usage | null | undefined) => (u && u.llm_calls > 0 && typeof u.cost_usd === "number" ? ` · $${Number(u.cost_usd.toPrecision(3))}` : "");

/** who is what people call themselves; it is remembered in this browser. */
export function who(): string {
  let name = localStorage.getItem("who");
  if (!name) {
    name = prompt("Your name, as others shall see it")?.trim() || "somebody";
    localStorage.setItem("who", name);
  }
  return name;
}

const verdicts: [string, string][] = [["right", "Right"], ["not_quite", "Not quite"], ["wrong", "Wrong"], ["known", "Right, but known"]];

function People({ id, said, changed }: { id: string; said: Said; changed: () => void }) {
  const [comment, write] = useState(""), [note, jot] = useState(""), [wrong, fail] = useState<Problem>(), exported = useContext(Export);
  const say = (path: string, body: object, clear: () => void) => void post(path, { id, by: who(), ...body }).then(() => { clear(); fail(undefined); changed(); }, fail);
  return <section aria-labelledby="people"><h2 id="people">Was this right?</h2>
    {wrong && <Wrong problem={wrong} />}
    {exported && !list(said.feedback).length && <p class="quiet">Nobody had said when it was exported.</p>}
    {!exported && <form onSubmit={(e) => e.preventDefault()}><label class="wide">What was the cause? (if you know) <input value={comment} onInput={(e) => write(e.currentTarget.value)} disabled={reader.value} /></label>
      <div class="buttons">{verdicts.map(([verdict, word]) => <button key={verdict} type="button" disabled={!mayWrite.value} onClick={() => say("/feedback", { verdict, comment }, () => write(""))}>{word}</button>)}</div><Needs /></form>}
    <ul>{list(said.feedback).map((f, k) => <li key={k}>{verdicts.find(([v]) => v === f.verdict)?.[1]}{f.comment && ": " + f.comment} <span class="quiet">{f.by}, <When at={f.at} /></span></li>)}</ul>
    {exported && list(said.acks).map((a, k) => <p key={k}>{a.by} looks after it <span class="quiet"><When at={a.at} /></span></p>)}
    <h3>Notes</h3><ul>{list(said.notes).map((n, k) => <li key={k}>{n.text} <span class="quiet">{n.by}, <When at={n.at} /></span></li>)}</ul>
    {!exported && <form onSubmit={(e) => { e.preventDefault(); if (note.trim()) say("/notes", { text: note }, () => jot("")); }}><label class="wide">Note <input value={note} onInput={(e) => jot(e.currentTarget.value)} disabled={reader.value} /></label> <button disabled={!mayWrite.value}>Add</button><Needs /></form>}
  </section>;
}
