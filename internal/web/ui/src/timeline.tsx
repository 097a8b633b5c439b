// When the runs of an investigation did what: a lane for each, from their journals.
import type { ComponentChildren } from "preact";
import { useContext, useEffect, useState } from "preact/hooks";
import { get } from "./api";
import { date, list, plural, span, time, zone } from "./format";
import { firstOf, Journal, pageOfSteps } from "./journal";
import { Export, Link, Mark } from "./parts";
import { query, type Problem } from "./api";
import { to } from "./router";
import type { PageOfRecord, Record as Step, Run } from "./types";

const mostLanes = 12, longest = 20_000; // a pause is drawn no longer than this, in ms

/** A Lane is a run with the beginning of its journal; missing is why that is not there. */
interface Lane { run: Run; steps: Step[]; more?: boolean; missing?: string }

/** Timeline draws the runs; since is when their journals were written. */
export const Timeline = (of: { runs: Run[]; since: string | undefined }) => (useContext(Export) ? <Exported {...of} /> : <Kept {...of} />);

/** Kept reads the journals of the runs. */
function Kept({ runs, since }: { runs: Run[]; since: string | undefined }) {
  const [lanes, put] = useState<Lane[]>();
  const key = runs.map((r) => r.run_id + r.outcome + r.state).join();
  useEffect(() => {
    let over = false;
    void Promise.all(runs.slice(0, mostLanes).map((run): Promise<Lane> => get<PageOfRecord>("/runs/" + encodeURIComponent(run.run_id) + query({ limit: pageOfSteps }))
      .then((p) => ({ run, steps: list(p.items), more: !!p.next }), (e: Problem) => ({ run, steps: [], missing: e.status === 404 ? expired(since) ?? "Its journal is not kept any more." : "Its journal cannot be read: " + e.message })))).then((l) => over || put(l));
    return () => void (over = true);
  }, [key]);
  if (!runs.length) return <p class="quiet">{expired(since) ?? "No run is known."}</p>;
  return <>
    <Lanes of={lanes ?? runs.map((run) => ({ run, steps: [] }))} step={(run, n) => to("runs", run) + query({ from: firstOf(n) }) + "#" + n} />
    {runs.length > mostLanes && <p class="quiet">{runs.length - mostLanes} more runs.</p>}
  </>;
}

/** Exported has the journals in the export, and their records in place. */
function Exported({ runs }: { runs: Run[] }) {
  const journals = useContext(Export)!.journals ?? {}, of = (run: Run) => list(journals[run.run_id]);
  if (!runs.length) return <p class="quiet">The export names no run.</p>;
  return <Lanes of={runs.map((run) => (of(run).length ? { run, steps: of(run).slice(0, pageOfSteps), more: of(run).length > pageOfSteps } : { run, steps: [], missing: "The export has no journal of it." }))}
    step={(run, n) => "#" + run + "." + n} below={(run) => of(run).length > 0 && <Journal run={run.run_id} records={of(run)} />} />;
}

/** Lanes draws them on one scale; step is the address of a record, below what else a lane has. */
function Lanes({ of, step, below }: { of: Lane[]; step: (run: string, n: number) => string; below?: (run: Run) => ComponentChildren }) {
  const scale = scaleOf(of.flatMap((l) => l.steps));
  return <>
    <ul class="lanes">{of.map((l) => <li key={l.run.run_id}>
      <p><Mark of={l.run.outcome || "running"} /> <Link href={to("runs", l.run.run_id)}>{l.run.skill || "coordinator"}</Link> <span class="quiet">{list(l.run.targets).slice(0, 3).map((t) => t.node + "/" + t.target).join(", ")}{list(l.run.targets).length > 3 && ` and ${list(l.run.targets).length - 3} more`} {l.run.state} {l.run.error}{l.steps.length > 0 && " · " + (l.more ? "more than " : "") + plural(l.steps.length, "record")}</span></p>
      {l.steps.length > 0 && <Bar of={l} at={scale.at} />}
      {l.missing && <p class="quiet">{l.missing}</p>}
      {told(l.steps).map(([s, text]) => <p key={s.n} class="note"><a href={step(l.run.run_id, s.n)}>{text}</a> <span class="quiet">{time(s.at)}</span></p>)}
      {below?.(l.run)}
    </li>)}</ul>
    {scale.end > scale.begin && <p class="quiet">{time(scale.begin)} to {time(scale.end)} {zone()}{scale.cut && `; pauses over ${span(longest)} are drawn as ${span(longest)}`}; waiting is outlined.</p>}
  </>;
}

/** expired says since when journals of a time are gone; undefined: they should still be there. */
function expired(since: string | undefined): string | undefined {
  const end = since ? Date.parse(since) + 7 * 86_400_000 : Infinity;
  return end < Date.now() ? `Journals are kept for 7 days: gone since ${date(end)} ${zone()}.` : undefined;
}

/** scaleOf places moments between 0 and 1000, long pauses of all lanes cut short. */
function scaleOf(steps: Step[]) {
  const times = [...new Set(steps.map((s) => Date.parse(s.at)))].sort((a, b) => a - b), place = new Map<number, number>();
  let x = 0, cut = false;
  times.forEach((t, k) => {
    const gap = k ? t - times[k - 1]! : 0;
    cut ||= gap > longest;
    place.set(t, (x += Math.min(gap, longest)));
  });
  return { at: (at: string) => (x ? (1000 * place.get(Date.parse(at))!) / x : 0), begin: times[0] ?? 0, end: times[times.length - 1] ?? 0, cut };
}

/** A bar from each record to the next: outlined where a run waited, or where nobody had it. */
function Bar({ of, at }: { of: Lane; at: (t: string) => number }) {
  const s = of.steps, parts = s.slice(1).map((r, k) => ({ n: r.n, x: at(s[k]!.at), w: Math.max(1.5, at(r.at) - at(s[k]!.at)), wait: waits(r, s[k]!) }));
  return <svg class="bar" viewBox="0 0 1000 18" preserveAspectRatio="none" role="img" aria-label={`from ${time(s[0]!.at)} to ${time(s[s.length - 1]!.at)} ${zone()}, ${plural(parts.filter((p) => p.wait).length, "pause")}`}>
    {parts.map((p) => <rect key={p.n} class={p.wait ? "wait" : "work"} x={p.x} y={p.wait ? 5 : 2} width={p.w} height={p.wait ? 8 : 14} />)}
    {s.length === 1 && <rect class="work" x={at(s[0]!.at)} y="2" width="6" height="14" />}
  </svg>;
}

const fields = (s: Step) => (s.data ?? {}) as { [name: string]: any };

const waits = (s: Step, before: Step) => (s.kind === "result" && /^wait/.test(String(fields(s).tool))) || (s.kind === "claim" && before.worker !== s.worker && before.kind !== "start");

/** told are the records that a reader should not miss: who was lost, and what was refused. */
function told(steps: Step[]): [Step, string][] {
  const out: [Step, string][] = [];
  steps.forEach((s, k) => {
    const d = fields(s), before = steps[k - 1];
    if (s.kind === "claim" && d.attempt > 1) out.push([s, `worker ${before && before.worker !== s.worker ? before.worker : "before"} lost, ${s.worker} went on`]);
    if (s.kind === "result" && d.invalid) out.push([s, `refused: ${String(d.content ?? "").slice(0, 120)}`]);
    if (s.kind === "cancel") out.push([s, `cancelled by ${d.by}`]);
  });
  return out.slice(0, 8);
}
