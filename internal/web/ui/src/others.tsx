// Ask, an exported insight, and what stands behind an address of evidence.
import { useState } from "preact/hooks";
import { post, Problem } from "./api";
import { list, plural, value } from "./format";
import { Needs, Page, Raw, State, useData, Wrong } from "./parts";
import { go, place, to } from "./router";
import { me, mayWrite, reader } from "./me";
import { Proof } from "./insight";
import type { Asked, EvidenceView, PageOfNode } from "./types";

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

