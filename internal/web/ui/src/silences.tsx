// What triage is kept from asking about, for a time.
import { useEffect, useState } from "preact/hooks";
import { post, Problem } from "./api";
import { list, number, plural } from "./format";
import { who } from "./insight";
import { on } from "./live";
import { mayWrite, reader } from "./me";
import { Needs, Page, State, useData, When, Wrong } from "./parts";
import { place } from "./router";
import type { InsightView, Node, PageOfNode, PageOfSilenceView, SilenceView } from "./types";

export function Silences() {
  const page = useData<PageOfSilenceView>("/silences"), [wrong, fail] = useState<Problem>();
  useEffect(() => on("people", page.reload), []);
  // Only its end changes: the rest stays as who made it said it. Said twice, it is one.
  const end = ({ kept_out, at, ...of }: SilenceView) => post("/silences", { ...of, by: who(), until: new Date().toISOString() }, "end " + of.until).then(() => { fail(undefined); page.reload(); }, fail);
  return <Page title="Silences">
    <p>While a silence holds, triage asks nothing of its own about what it names. What people ask for is not concerned.</p>
    {wrong && <Wrong problem={wrong} />}
    <State of={page} empty={(d) => !list(d.items).length && <p>Nothing is silenced.</p>}>{(d) => <ul class="rows silences">{list(d.items).map((s) => <li key={s.id} class="row">
      <div><strong>{named(s)}</strong><p>{s.reason}</p><p class="quiet">by {s.by} · until <When at={s.until} /> · {s.kept_out ? `kept out ${plural(s.kept_out, "signal")}` : "kept nothing out yet"}</p></div>
      <div class="actions"><button type="button" disabled={!mayWrite.value} onClick={() => void end(s)}>End</button><Needs /></div>
    </li>)}</ul>}</State>
    <Begin done={page.reload} />
  </Page>;
}

/** named says what a silence is of. */
function named(s: SilenceView): string {
  const labels = Object.entries(s.labels ?? {}).map(([k, v]) => k + "=" + v), nodes = list(s.nodes);
  return [nodes.length && "nodes " + nodes.slice(0, 10).join(", ") + (nodes.length > 10 ? ` and ${nodes.length - 10} more` : ""), labels.length && "nodes with " + labels.join(", "), list(s.skills).length && "skills " + list(s.skills).join(", ")].filter(Boolean).join(" and ") || "everything";
}

const words = (text: string) => text.split(/[\s,]+/).filter(Boolean);
const spans: [number, string][] = [[0.5, "half an hour"], [1, "an hour"], [4, "4 hours"], [24, "a day"], [168, "a week"]];
const newID = () => crypto.randomUUID().replaceAll("-", "").slice(0, 16);

/** Begin makes a silence; ?insight= names one whose nodes and skills it is of. */
function Begin({ done }: { done: () => void }) {
  const id = place.value.query.get("insight") ?? "", about = useData<InsightView>(id && "/insights/" + encodeURIComponent(id));
  const all = useData<PageOfNode>("/nodes?brief=1");
  const [own, renew] = useState(newID), [nodes, node] = useState(""), [labels, label] = useState(""), [skills, skill] = useState(""), [hours, last] = useState(1), [reason, say] = useState(""), [wrong, fail] = useState<Problem>();
  const i = about.data?.insight;
  useEffect(() => { if (i) { node(list(i.nodes).join(" ")); skill(list(i.skills).join(" ")); } }, [i?.id]);
  const names = words(nodes), pairs = Object.fromEntries(words(labels).filter((l) => l.includes("=")).map((l) => [l.slice(0, l.indexOf("=")), l.slice(l.indexOf("=") + 1)]));
  const among = new Set(names), matches = (n: Node) => (!names.length || among.has(n.node)) && Object.entries(pairs).every(([k, v]) => n.labels?.[k] === v);
  const something = names.length > 0 || Object.keys(pairs).length > 0 || words(skills).length > 0;
  const begin = (e: Event) => {
    e.preventDefault();
    post("/silences", { id: own, nodes: names, labels: pairs, skills: words(skills), reason: reason.trim(), by: who(), until: new Date(Date.now() + hours * 3_600_000).toISOString() }, own)
      .then(() => { renew(newID()); say(""); fail(undefined); done(); }, fail);
  };
  return <section aria-labelledby="begin"><h2 id="begin">Silence something</h2>
    {wrong && <Wrong problem={wrong} />}
    <form class="ask" onSubmit={begin}>
      <label>Nodes <input disabled={reader.value} value={nodes} placeholder="any" onInput={(e) => node(e.currentTarget.value)} /></label>
      <label>Only nodes with <input disabled={reader.value} value={labels} placeholder="role=canary zone=a" onInput={(e) => label(e.currentTarget.value)} /></label>
      <p class="quiet" aria-live="polite">{number(list(all.data?.items).filter(matches).length)} of {plural(list(all.data?.items).length, "node")} match.</p>
      <label>Skills <input disabled={reader.value} value={skills} placeholder="any" onInput={(e) => skill(e.currentTarget.value)} /></label>
      <label>For <select disabled={reader.value} value={hours} onChange={(e) => last(Number(e.currentTarget.value))}>{spans.map(([h, text]) => <option key={h} value={h}>{text}</option>)}</select></label>
      <label>Why <input disabled={reader.value} required value={reason} onInput={(e) => say(e.currentTarget.value)} placeholder="move to new disks" /></label>
      <button disabled={!mayWrite.value || !reason.trim() || !something}>Silence</button>{!something && !reader.value && <p class="quiet">Name nodes, labels or skills. All that is named must match.</p>}<Needs />
    </form></section>;
}
