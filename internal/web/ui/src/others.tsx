// Ask, an exported insight, and what stands behind an address of evidence.
import { useState } from "preact/hooks";
import { post, Problem } from "./api";
import { list, plural, value } from "./format";
import { Marked, Needs, Page, Raw, State, useData, Wrong } from "./parts";
import { go, place, to } from "./router";
import { me, mayWrite, reader } from "./me";
import { Proof, Whole } from "./insight";
import type { Asked, EvidenceView, InsightView, PageOfNode } from "./types";

export function Ask() {
  const nodes = useData<PageOfNode>("/nodes?brief=1");
  const [reason, write] = useState(place.value.query.get("reason") ?? ""), [labels, label] = useState(""), [minutes, wait] = useState("5"), [tokens, most] = useState(""), [wrong, fail] = useState<Problem>();
  const wanted = Object.fromEntries(labels.split(/[\s,]+/).filter((l) => l.includes("=")).map((l) => [l.slice(0, l.indexOf("=")), l.slice(l.indexOf("=") + 1)]));
  const count = list(nodes.data?.items).filter((n) => Object.entries(wanted).every(([k, v]) => n.labels?.[k] === v)).length;
  const ask = (e: Event) => {
    e.preventDefault();
    post<Asked>("/investigations", { reason, labels: wanted, deadline_ms: Number(minutes) * 60_000, max_tokens: Number(tokens) || 0 }).then((a) => go(to("investigations", a.id)), fail);
  };
  return <Page title="Ask">
    {me.value?.connected && !mayWrite.value && <p class="banner">This server may only read: {me.value.why}</p>}
    {wrong && <Wrong problem={wrong} />}
    <form class="ask" onSubmit={ask}>
      <label>What is wrong? <textarea disabled={reader.value} rows={3} required value={reason} onInput={(e) => write(e.currentTarget.value)} placeholder="checkout is slow since noon" /></label>
      <label>Only nodes with <input disabled={reader.value} value={labels} placeholder="role=web zone=a" onInput={(e) => label(e.currentTarget.value)} /></label><p class="quiet" aria-live="polite">{plural(count, "node")} match.</p>
      <label>Minutes it may take <input disabled={reader.value} type="number" min="1" max="1440" value={minutes} onInput={(e) => wait(e.currentTarget.value)} /></label>
      <label>Tokens it may use (empty: no limit) <input disabled={reader.value} type="number" min="0" value={tokens} onInput={(e) => most(e.currentTarget.value)} /></label>
      <button disabled={!mayWrite.value || !reason.trim()}>Investigate</button><Needs />
    </form>
  </Page>;
}

/** EvidencePage always has an answer to an address of evidence. */
export function EvidencePage() {
  const address = place.value.query.get("address") ?? "";
  const v = useData<EvidenceView>("/evidence?address=" + encodeURIComponent(address));
  const field = address.slice(address.indexOf("#") + 1);
  return <Page title="Evidence"><p><code>{address}</code></p>
    <State of={v}>{(d) => <>
      {d.from === "expired" && <p class="banner">{d.note}</p>}
      {d.snapshot && <p>{d.snapshot.node}/{d.snapshot.target} · {d.snapshot.skill}: <strong>{field} {value(d.snapshot.data?.[field])}</strong></p>}
      {d.evidence && <section aria-labelledby="kept"><h2 id="kept">As it was kept</h2><Proof of={d.evidence} /></section>}
      {d.result && <pre tabIndex={0}>{d.result.content}</pre>}
      {list(d.cited_by).length > 0 && <p>Cited by {list(d.cited_by).map((id) => <a key={id} href={to("insights", id)}>{id} </a>)}</p>}
      <Raw of={d} />
    </>}</State>
  </Page>;
}

/** Opened shows a conclusion that was exported, with nothing but this page. */
export function Opened() {
  const [v, put] = useState<InsightView>(), [wrong, fail] = useState<Problem>();
  const open = async (e: Event) => {
    try {
      const b = JSON.parse(await (e.target as HTMLInputElement).files![0]!.text()) as InsightView;
      if (!b.insight?.id) throw new Error("it holds no insight");
      put(b);
      fail(undefined);
    } catch (err) { fail(new Problem("This is no export of an insight: " + (err as Error).message, 400)); }
  };
  return <Page title={v?.insight.summary ?? "Open an export"} heading={v && <Marked text={v.insight.summary} figures={v.insight.figures} />}>
    <form class="filters"><label>Export (JSON) <input type="file" accept=".json,application/json" onChange={open} /></label></form>
    {wrong && <Wrong problem={wrong} />}
    {v && <><p class="banner">This is read from a file, as it was exported.</p><Whole v={v} changed={() => undefined} offline /></>}
  </Page>;
}
