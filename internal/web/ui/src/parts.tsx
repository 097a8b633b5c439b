// Small parts that pages share.
import { createContext, toChildArray, type ComponentChildren, type VNode } from "preact";
import { useContext, useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { getNew, Problem } from "./api";
import { listen, onReset } from "./live";
import { ago, date, list, number, plural, time, value as written, zone } from "./format";
import { why } from "./me";
import { go, place, set } from "./router";
import type { Bundle, Evidence, Figure, Point } from "./types";

export const shapes: Record<string, [string, string]> = {
  critical: ["▲", "critical"], warning: ["◆", "warning"], info: ["■", "info"], none: ["●", "nothing wrong"],
  healthy: ["●", "healthy"], observing: ["◇", "observing"], alive: ["●", "alive"], silent: ["✕", "silent"],
  read: ["●", "read"], incomplete: ["◇", "not whole"], missing: ["✕", "no snapshot"],
  running: ["▷", "running"], done: ["●", "done"], failed: ["✕", "failed"], cancelled: ["✕", "cancelled"], deadline_exceeded: ["✕", "out of time"], deadline: ["✕", "out of time"], max_iterations: ["◆", "at its limit of steps"],
};

/** Mark says a state by shape and word, never by colour alone. */
export function Mark({ of, short }: { of: string | undefined; short?: boolean }) {
  const [shape, word] = shapes[of ?? ""] ?? ["·", of ?? "unknown"];
  return <span class={`mark mark-${of}`}><span aria-hidden="true">{shape}</span> <span class={short ? "visually-hidden" : ""}>{word}</span></span>;
}

export const When = ({ at, short }: { at: string | number | undefined; short?: boolean }) => (
  <time dateTime={at ? new Date(at).toISOString() : undefined} title={`${date(at)} ${zone()}, ${ago(at)}`}>{short ? time(at) : date(at)}</time>
);

/** Page has the heading that a page begins with, and the title of the window. */
export function Page({ title, heading, children, actions }: { title: string; heading?: ComponentChildren; children: ComponentChildren; actions?: ComponentChildren }) {
  useEffect(() => void (document.title = title + " · Fleetlens"), [title]);
  return <main id="main">
    <header class="head"><h1 tabIndex={-1}>{heading ?? title}</h1>{actions && <div class="actions">{actions}</div>}</header>
    {children}
  </main>;
}

/** Export is the file that a page is read from; undefined: it is read from the server. */
export const Export = createContext<Bundle | undefined>(undefined);

/** Link leads to a page that the server answers; in a page that is read from a file it is its text. */
export const Link = ({ href, cls, children }: { href: string; cls?: string; children: ComponentChildren }) => (useContext(Export) ? <span class={cls}>{children}</span> : <a class={cls} href={href}>{children}</a>);

export interface Loaded<T> {
  data?: T | undefined;
  error?: Problem | undefined;
  reload: () => void;
}

const seen = new Map<string, unknown>(); // the last answers: going back shows them at once

/** useData reads a path, keeps the answer while it is read again, and says what was wrong. An empty path reads nothing. */
export function useData<T>(path: string): Loaded<T> {
  const [state, put] = useState<{ data?: T; tag?: string | null; error?: Problem; path: string }>({ path: "" });
  const [turn, again] = useState(0);
  const soon = useRef<ReturnType<typeof setTimeout>>(undefined);
  // Events come in bursts: what they make old is read once.
  const reload = useRef(() => { clearTimeout(soon.current); soon.current = setTimeout(() => again((n) => n + 1), 150); }).current;
  // Not after the first paint, as an effect would be: it is what the reader waits for.
  useLayoutEffect(() => {
    let over = false;
    if (path) listen();
    if (path) getNew<T>(path, state.path === path && !state.error ? state.tag ?? undefined : undefined).then((it) => {
      if (!it) return;
      seen.delete(path);
      seen.set(path, it.data);
      if (seen.size > 20) seen.delete(seen.keys().next().value!);
      if (!over) put({ ...it, path });
    }, (error) => over || put((s) => (s.path === path ? { ...s, error } : { error, path })));
    return () => void (over = true);
  }, [path, turn]);
  useEffect(() => { const off = onReset(reload); return () => { off(); clearTimeout(soon.current); }; }, []);
  return { data: (state.path === path ? state.data : undefined) ?? (seen.get(path) as T | undefined), error: state.path === path ? state.error : undefined, reload };
}

/** usePainted is whether what is made first was painted since it is there: what costs more comes then. */
export function usePainted(there = true): boolean {
  const [painted, paint] = useState(false);
  useEffect(() => { if (there) paint(true); }, [there]);
  return painted;
}

export interface List<T> extends Loaded<{ items: T[] | null; next?: string }> {
  shown: T[];
  fresh: number;
  show: () => void;
}

/** useList reads a list that somebody is reading: what is new waits until it is asked for. */
export function useList<T extends { id: string }>(path: string): List<T> {
  const of = useData<{ items: T[] | null; next?: string }>(path);
  const [known, know] = useState<{ path: string; ids: Set<string> }>();
  const items = list(of.data?.items), all = () => know({ path, ids: new Set(items.map((i) => i.id)) });
  const begun = known?.path === path && known.ids.size > 0;
  if (!begun && items.length) all();
  const shown = begun ? items.filter((i) => known.ids.has(i.id)) : items;
  return { ...of, shown, fresh: items.length - shown.length, show: all };
}

/** Fresh says how many there are that are not shown yet. */
export const Fresh = ({ of }: { of: List<any> }) => <div class="polite" aria-live="polite">{of.fresh > 0 && <button type="button" class="fresh" onClick={() => { of.show(); document.querySelector<HTMLElement>("h1")?.focus({ preventScroll: true }); scrollTo(0, 0); }}>{of.fresh} new</button>}</div>;

const unfolded = (name: string) => (place.value.query.get(name) ?? "").split(",").filter(Boolean);

/** ledTo is whether the address leads to a fold, or into it. */
const ledTo = (id: string) => place.value.hash === id || place.value.hash.startsWith(id + ".");

/** Fold is a part that opens in place; which ones are open stands in the address. What stands below its first child, the summary, is made when it is first open. */
export function Fold({ id, name = "open", cls, inverse = false, children }: { id: string; name?: string; cls?: string | undefined; inverse?: boolean; children: ComponentChildren }) {
  const all = unfolded(name), open = all.includes(id) !== inverse || ledTo(id);
  const toggle = (e: Event) => {
    const is = (e.currentTarget as HTMLDetailsElement).open;
    if (is !== open) set(name, [...all.filter((x) => x !== id), ...(is !== inverse ? [id] : [])].join(","));
    if (!is && ledTo(id)) go(location.pathname + location.search, true);
  };
  const opened = useRef(false), [summary, ...below] = toChildArray(children);
  opened.current ||= open;
  return <details class={cls} id={id} open={open} onToggle={toggle}>{summary}{opened.current && below}</details>;
}

/** Needs says beside a control why it cannot be used. */
export const Needs = () => why.value ? <p class="quiet needs">{why.value}</p> : null;

/** State shows what there is to say while there is no data, or beside it. */
export function State<T>({ of, empty, children }: { of: Loaded<T>; empty?: (data: T) => ComponentChildren | false; children: (data: T) => ComponentChildren }) {
  const nothing = of.data !== undefined && empty ? empty(of.data) : false;
  return <>
    {of.error && !(of.data !== undefined && (of.error.status === 0 || of.error.status === 503)) && <Wrong problem={of.error} again={of.reload} stale={of.data !== undefined} />}
    {leftOut(of.data) > 0 && <p class="banner">{plural(leftOut(of.data), "message")} cannot be read here, being broken or of a newer version than this server, and {leftOut(of.data) === 1 ? "is" : "are"} left out.</p>}
    {of.data === undefined && !of.error && <p class="loading" role="status">Loading …</p>}
    {nothing ? <div class="empty">{nothing}</div> : of.data !== undefined && children(of.data)}
  </>;
}

/** leftOut is how many messages of a list the server could not read. */
const leftOut = (data: unknown): number => {
  const n = (data as { unreadable?: unknown } | undefined)?.unreadable;
  return typeof n === "number" ? n : 0;
};

export function Wrong({ problem, again, stale }: { problem: Problem; again?: () => void; stale?: boolean }) {
  return <div class="wrong" role="alert">
    <p>{problem.message}</p>
    {problem.role && <p>It needs the role <code>{problem.role}</code>: <code>fleetlens creds mint {problem.role} NAME</code></p>}
    {stale && <p>What is shown was read before.</p>}
    {again && <button type="button" onClick={again}>Try again</button>}
  </div>;
}

/** Marked writes a text with each of its figures marked: solid when it was found in the evidence. */
export function Marked({ text, figures }: { text: string; figures?: Figure[] | null | undefined }) {
  const out: (string | VNode)[] = [];
  let rest = text;
  for (const f of figures ?? []) {
    const at = f.text ? rest.indexOf(f.text) : -1;
    if (at < 0) continue;
    out.push(rest.slice(0, at));
    out.push(f.found
      ? <mark class="found" title={f.evidence ? `found: ${f.evidence}` : "found in the evidence"}>{f.text}</mark>
      : <mark class="lost" title={f.nearest ? `not found; nearest: ${f.nearest}` : "not found in the evidence"}>{f.text}<span class="visually-hidden"> (not found)</span></mark>);
    rest = rest.slice(at + f.text.length);
  }
  out.push(rest);
  return <>{out}</>;
}

/** Spark draws a series in a line of text. Its value stands beside it, in words. */
export function Spark({ points, label }: { points: Point[] | null | undefined; label: string }) {
  const p = points ?? [];
  if (p.length < 2) return null;
  const vs = p.map((x) => x.v), low = Math.min(...vs), high = Math.max(...vs), t0 = p[0]!.t, t1 = p[p.length - 1]!.t || t0 + 1;
  const d = p.map((x, i) => `${i ? "L" : "M"}${(((x.t - t0) / Math.max(1, t1 - t0)) * 98 + 1).toFixed(1)} ${(23 - ((x.v - low) / Math.max(1e-9, high - low)) * 22).toFixed(1)}`).join("");
  return <svg class="spark" viewBox="0 0 100 24" role="img" aria-label={`${label}: from ${number(vs[0]!)} to ${number(vs[vs.length - 1]!)}, between ${number(low)} and ${number(high)}`} preserveAspectRatio="none"><path d={d} /></svg>;
}

/** Plot draws the series of an evidence with its threshold; the same stands below as a table. */
export function Plot({ of }: { of: Evidence }) {
  const p = of.series ?? [];
  if (p.length < 2) return <p class="quiet">No series was kept with it.</p>;
  const marks = [of.threshold, of.baseline].filter((v): v is number => typeof v === "number");
  const vs = [...p.map((x) => x.v), ...marks];
  const low = Math.min(...vs), high = Math.max(...vs), pad = (high - low || Math.abs(high) || 1) * 0.08, t0 = p[0]!.t, t1 = p[p.length - 1]!.t;
  const wide = innerWidth < 600 ? 320 : 600, end = wide - 10; // so that its words stay as large as others
  const x = (t: number) => 50 + ((t - t0) / Math.max(1, t1 - t0)) * (end - 50), y = (v: number) => 130 - ((v - low + pad) / (high - low + 2 * pad)) * 120;
  return <figure class="plot">
    <svg viewBox={`0 0 ${wide} 150`} role="img" aria-label={`${of.name}: ${p.length} values from ${time(t0)} to ${time(t1)} ${zone()}, last ${written(p[p.length - 1]!.v, of.unit)}`}>
      {typeof of.baseline === "number" && <line class="baseline" x1="50" x2={end} y1={y(of.baseline)} y2={y(of.baseline)} />}
      {typeof of.threshold === "number" && <line class="threshold" x1="50" x2={end} y1={y(of.threshold)} y2={y(of.threshold)} />}
      <path class="line" d={p.map((q, i) => `${i ? "L" : "M"}${x(q.t).toFixed(1)} ${y(q.v).toFixed(1)}`).join("")} />
      <text x="46" y={y(high) + 4} text-anchor="end">{number(high)}</text><text x="46" y={y(low) + 4} text-anchor="end">{number(low)}</text>
      <text x="50" y="146">{time(t0)}</text><text x={end} y="146" text-anchor="end">{time(t1)} {zone()}</text>
    </svg>
    <figcaption>{typeof of.threshold === "number" && <>threshold {written(of.threshold, of.unit)} (dashed) </>}{typeof of.baseline === "number" && <>usually {written(of.baseline, of.unit)} (dotted)</>}</figcaption>
    <Later summary="as a table">{() => <table><thead><tr><th scope="col">time, {zone()}</th><th scope="col">{of.name}</th></tr></thead><tbody>{p.map((q) => <tr key={q.t}><td>{time(q.t)}</td><td class="n">{written(q.v, of.unit)}</td></tr>)}</tbody></table>}</Later>
  </figure>;
}

/** Copy is a button that copies a text. */
export function Copy({ text, what, children }: { text: string; what: string; children?: string }) {
  const [done, say] = useState(false);
  return <button type="button" class="copy" aria-label={children ?? `Copy ${what}`} onClick={() => void navigator.clipboard?.writeText(text).then(() => { say(true); setTimeout(() => say(false), 1500); })}>{done ? "copied" : children ?? "copy"}</button>;
}

/** Raw shows a value as JSON, folded. */
export const Raw = ({ of }: { of: unknown }) => <Later summary="JSON" cls="raw">{() => <pre>{JSON.stringify(of, null, 2)}</pre>}</Later>;

/** Later is a part that is made when it is opened: a page has many, and most stay closed. */
function Later({ summary, cls, children }: { summary: string; cls?: string; children: () => ComponentChildren }) {
  const [open, turn] = useState(false);
  return <details class={cls} onToggle={(e) => turn(e.currentTarget.open)}><summary>{summary}</summary>{open && children()}</details>;
}
