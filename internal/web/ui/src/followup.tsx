// Questions about an insight: each is a run of its own, and changes nothing of it.
import { useState } from "preact/hooks";
import { postParts, Problem } from "./api";
import { list, number } from "./format";
import { Marked, Needs, Wrong } from "./parts";
import { byWhom } from "./insights";
import { cost } from "./insight";
import { to } from "./router";
import { mayWrite, reader } from "./me";
import type { AskPart, AskReply } from "./types";

interface Asked { text: string; part?: AskPart; reply?: AskReply; wrong?: Problem }

export function FollowUp({ id }: { id: string }) {
  const [text, write] = useState(""), [asked, put] = useState<Asked[]>([]);
  const busy = asked.some((a) => !a.reply && !a.wrong);
  const ask = async (e: Event) => {
    e.preventDefault();
    if (!text.trim() || busy) return;
    const tell = (more: Partial<Asked>) => put((l) => [...l.slice(0, -1), { ...l[l.length - 1]!, ...more }]);
    put((l) => [...l, { text }]);
    await postParts<AskPart, AskReply>(`/investigations/${encodeURIComponent(id)}/ask`, { text }, (part) => tell({ part }))
      .then((reply) => { tell({ reply }); write(""); }, (wrong) => tell({ wrong: wrong as Problem }));
  };
  return <section aria-labelledby="follow"><h2 id="follow">Ask a follow-up</h2>
    {asked.map((a, k) => <article key={k} class="answer" aria-busy={!a.reply && !a.wrong}><h3>{a.text}</h3>{a.wrong ? <Wrong problem={a.wrong} /> : a.reply ? <Reply of={a.reply} /> : <Draft of={a.part} />}</article>)}
    <p class="visually-hidden" role="status">{busy ? "Asking" : asked.length > 0 && "Answered"}</p>
    <form onSubmit={ask}><label class="wide">Question <input value={text} onInput={(e) => write(e.currentTarget.value)} disabled={reader.value} /></label> <button disabled={!mayWrite.value || busy}>{busy ? "Asking …" : "Ask"}</button><Needs /></form>
  </section>;
}

/** Draft is what a model has written so far. */
const Draft = ({ of }: { of: AskPart | undefined }) => of ? <>
  <p>{of.summary} …</p><ul>{list(of.findings).map((f, k) => <li key={k}>{f}</li>)}</ul><p class="quiet">It is being written; its figures are checked when it is whole.</p>
</> : <p class="quiet">Asking …</p>;

function Reply({ of }: { of: AskReply }) {
  const figures = list(of.figures), all = figures.flatMap(list), found = all.filter((f) => f.found).length;
  const findings = list(of.findings), concerns = list(of.concerns);
  return <>
    <p><Marked text={of.summary} figures={figures[0]} /></p>
    <ul>{findings.map((f, k) => <li key={k}><Marked text={f} figures={figures[1 + k]} /></li>)}</ul>
    {concerns.length > 0 && <><p>To be careful about:</p><ul>{concerns.map((c, k) => <li key={k}><Marked text={c} figures={figures[1 + findings.length + k]} /></li>)}</ul></>}
    <p class="quiet">{figures.length > 0 ? `${found === all.length && all.length > 0 ? "✓ " : ""}${found} of ${all.length} figures verified` : "not checked figure by figure"} · {byWhom(of.model)}{of.usage.llm_calls > 0 && ` · ${number(of.usage.input_tokens + of.usage.output_tokens)} tokens`}{cost(of.usage)} · <a href={to("runs", of.run_id)}>its run</a> · the insight stays as it is</p>
  </>;
}
