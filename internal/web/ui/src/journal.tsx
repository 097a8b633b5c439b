// The records of a run: what it read, was told, answered and did, one after the other.
import { Fragment } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { list, span } from "./format";
import { Copy, Fold, When } from "./parts";
import { place, returned } from "./router";
import type { Record as Step } from "./types";

/** pageOfSteps is how many records of a journal are read and shown at a time. */
export const pageOfSteps = 200;

/** firstOf is the first record of the page that has record n. */
export const firstOf = (n: number) => Math.floor((n - 1) / pageOfSteps) * pageOfSteps + 1;

/** idle is from how long on a pause between two records is told. */
const idle = 10_000;

/** Steps lists records; of is before their numbers in the address where a page has several runs. */
export function Steps({ records, of = "" }: { records: Step[]; of?: string }) {
  return <ol class="steps">{records.map((r, k) => {
    const before = records[k - 1], pause = before ? Date.parse(r.at) - Date.parse(before.at) : 0;
    return <Fragment key={r.n}>{pause >= idle && <li class="pause quiet">nothing for {span(pause)}</li>}<Record of={r} id={of + r.n} began={records[0]!.at} before={before} /></Fragment>;
  })}</ol>;
}

/** Journal is a run's records in place: the page of them that has the one in the address. */
export function Journal({ run, records }: { run: string; records: Step[] }) {
  const of = run + ".", hash = place.value.hash, from = hash.startsWith(of) ? firstOf(Number(hash.slice(of.length)) || 1) : 1;
  const shown = records.filter((r) => r.n >= from && r.n < from + pageOfSteps), more = records.some((r) => r.n >= from + pageOfSteps);
  return <Fold id={run}><summary>Its records</summary>
    <Steps records={shown} of={of} />
    {(from > 1 || more) && <p class="pages">{from > 1 && <a href={"#" + of + (from - pageOfSteps)}>the {pageOfSteps} before</a>} {more && <a href={"#" + of + (from + pageOfSteps)}>the {pageOfSteps} after</a>}</p>}
  </Fold>;
}

/** One record of a journal, in a line, and whole when it is opened. */
function Record({ of, id, began, before }: { of: Step; id: string; began: string | undefined; before: Step | undefined }) {
  const here = place.value.hash === id, open = here || (place.value.query.get("open") ?? "").split(",").includes(id), at = useRef<HTMLLIElement>(null);
  useEffect(() => {
    if (!here || returned) return;
    at.current?.scrollIntoView();
    at.current?.querySelector("summary")?.focus({ preventScroll: true });
  }, [here]);
  return <li ref={at} class={"step step-" + of.kind}><Fold id={id}><summary><span class="n">{of.n}</span> <span class="quiet">{began ? "+" + span(Date.parse(of.at) - Date.parse(began)) : ""}</span> <strong>{of.kind}</strong> {gist(of, before)}</summary>
    {open && <><p class="quiet">{of.worker} · <When at={of.at} /> · <a href={"#" + id}>link</a> · <Copy text={JSON.stringify(of, null, 2)} what={"record " + of.n} />{of.kind === "start" && <> <Copy text={prompt(of)} what="the prompt">Copy prompt</Copy></>}</p><pre tabIndex={0}>{JSON.stringify(of.data, null, 2)}</pre></>}</Fold></li>;
}

/** prompt is what the agent was told at its beginning. */
const prompt = (of: Step) => { const d = (of.data ?? {}) as { system?: string; user?: string }; return `${d.system ?? ""}\n\n${d.user ?? ""}`.trim(); };

const cut = (s: unknown, n = 160) => { const t = String(s ?? ""); return t.length > n ? t.slice(0, n) + "…" : t; };

function gist(r: Step, before?: Step): string {
  const d = (r.data ?? {}) as { [key: string]: any };
  switch (r.kind) {
    case "start": return cut(`${d.agent ?? ""} ${d.user ?? ""}`);
    case "claim": return d.attempt > 1 ? `worker ${before && before.worker !== d.worker ? before.worker : "before"} was lost, ${d.worker} went on (attempt ${d.attempt})` : `worker ${d.worker}`;
    case "answer": return cut(`${d.model ?? ""} ${d.text ?? ""} ${list<any>(d.calls).map((c) => c.tool + " " + c.args).join(" · ")}`);
    case "result": return cut(`${d.tool} ${d.failed ? "failed: " : d.invalid ? "refused: " : ""}${d.content ?? ""}`);
    case "retry": return cut(`attempt ${d.attempt}: ${d.error}`);
    case "finished": return cut(`${d.outcome} ${d.error ?? ""}`);
    case "input": return cut(d.text);
    case "cancel": return cut(`${d.by} ${d.reason ?? ""}`);
  }
  return "";
}
