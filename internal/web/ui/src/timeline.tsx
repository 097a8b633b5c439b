// When the runs of an investigation did what: a lane for each, from their journals.
import { useEffect, useState } from "preact/hooks";
import { get } from "./api";
import { date, list, plural, span, time, zone } from "./format";
import { Mark } from "./parts";
import { query, type Problem } from "./api";
import { to } from "./router";
import type { PageOfRecord, Record as Step, Run } from "./types";

/** pageOfSteps is how many records of a journal are read and shown at a time. */
export const pageOfSteps = 200;

const mostLanes = 12, longest = 20_000; // a pause is drawn no longer than this, in ms

interface Lane { run: Run; steps: Step[]; gone?: boolean; wrong?: string; more?: boolean }

/** Timeline reads the journals of the runs; since is when they were written. */
export function Timeline({ runs, since }: { runs: Run[]; since: string | undefined }) {
  const [lanes, put] = useState<Lane[]>();
  const key = runs.map((r) => r.run_id + r.outcome + r.state).join();
  useEffect(() => {
    let over = false;
    void Promise.all(runs.slice(0, mostLanes).map((run): Promise<Lane> => get<PageOfRecord>("/runs/" + encodeURIComponent(run.run_id) + query({ limit: pageOfSteps }))
      .then((p) => ({ run, steps: list(p.items), more: !!p.next }), (e: Problem) => ({ run, steps: [], gone: e.status === 404, wrong: e.message })))).then((l) => over || put(l));
    return () => void (over = true);
  }, [key]);
  if (!runs.length) return <p class="quiet">{expired(since) ?? "No run is known."}</p>;
  const scale = scaleOf(list(lanes).flatMap((l) => l.steps));
  return <>
    <ul class="lanes">{(lanes ?? runs.map((run): Lane => ({ run, steps: [] }))).map((l) => <li key={l.run.run_id}>
      <p><Mark of={l.run.outcome || "running"} /> <a href={to("runs", l.run.run_id)}>{l.run.skill || "coordinator"}</a> <span class="quiet">{list(l.run.targets).slice(0, 3).map((t) => t.node + "/" + t.target).join(", ")}{list(l.run.targets).length > 3 && ` and ${list(l.run.targets).length - 3} more`} {l.run.state} {l.run.error}{l.steps.length > 0 && " · " + (l.more ? "more than " : "") + plural(l.steps.length, "record")}</span></p>
      {l.steps.length > 0 && <Bar of={l} at={scale.at} />}
      {l.gone && <p class="quiet">{expired(since) ?? "Its journal is not kept any more."}</p>}
      {!l.gone && l.wrong && <p class="quiet">Its journal cannot be read: {l.wrong}</p>}
      {told(l.steps).map(([s, text]) => <p key={s.n} class="note"><a href={to("runs", l.run.run_id) + query({ from: Math.floor((s.n - 1) / pageOfSteps) * pageOfSteps + 1 }) + "#" + s.n}>{text}</a> <span class="quiet">{time(s.at)}</span></p>)}
    </li>)}</ul>
    {runs.length > mostLanes && <p class="quiet">{runs.length - mostLanes} more runs.</p>}
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
