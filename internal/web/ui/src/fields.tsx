// The fields of a snapshot: how large, of what, from where on it is bad, and what others have.
import { useEffect, useState } from "preact/hooks";
import { get } from "./api";
import { list, number, value } from "./format";
import { Mark, Spark, useData } from "./parts";
import type { Check, Metric, Peers, Series, SkillView, Snapshot } from "./types";

const path = (s: Snapshot) => "/nodes/" + [s.node, s.target, s.skill].map(encodeURIComponent).join("/");

/** useSkill reads what the fields of a snapshot mean, and again when the snapshot is another. */
export function useSkill(of: Snapshot) {
  const read = useData<SkillView>(path(of));
  useEffect(() => { if (read.data) read.reload(); }, [of.id]);
  const metrics = new Map(list(read.data?.words?.metrics).map((m) => [m.name, m]));
  return { metric: (name: string) => metrics.get(name), rate: (name: string) => read.data?.rates?.[name], checks: list(read.data?.words?.checks), unknown: read.data?.unknown ?? read.error?.message };
}

export const byName = ([a]: [string, unknown], [b]: [string, unknown]) => (a < b ? -1 : 1);

/** rated writes how fast a counter grows. */
export const rated = (rate: number, m: Metric | undefined) => value(rate, m?.unit) + "/s";

/** Fields shows a snapshot's values with their units and thresholds, as its probe says them, and with the medians of peers. */
export function Fields({ of }: { of: Snapshot }) {
  const skill = useSkill(of), peers = useData<Peers>(path(of) + "/peers");
  const row = ([name, x]: [string, unknown]) => {
    const m = skill.metric(name), rate = skill.rate(name), checks = skill.checks.filter((c) => c.metric === name), median = peers.data?.medians?.[name], bad = crossed(checks, x);
    return <tr key={name}><th scope="row" title={m?.doc}>{name}</th><td class={typeof x === "number" ? "n" : "text"}>{bad && <><Mark of={bad} short /> </>}{rate === undefined ? value(x, m?.unit) : <>{rated(rate, m)} <span class="quiet">{value(x, m?.unit)} in all</span></>}</td>
      <td>{m?.kind ?? "–"}</td><td>{checks.map(threshold(m)).join("; ") || "–"}</td><td class="n">{m?.kind === "counter" ? "–" : value(median, m?.unit)}</td><td>{typeof x === "number" && <Lately of={of} metric={name} />}</td></tr>;
  };
  return <>
    <div class="scroll fields" tabIndex={0} role="region" aria-label={`Fields of ${of.skill} of ${of.target}`}><table><thead><tr><th scope="col">field</th><th scope="col" class="n">value</th><th scope="col">kind</th><th scope="col">threshold</th><th scope="col" class="n">peers’ median</th><th scope="col">lately</th></tr></thead>
      <tbody>{Object.entries(of.data ?? {}).sort(byName).map(row)}</tbody></table></div>
    {peers.data && <p class="quiet">{peers.data.read ? `Peers: ${among(peers.data)}. Totals of counters are not compared.` : "It has no peers: nobody else has this skill on this kind of target."}</p>}
    {peers.error && <p class="quiet">Its peers could not be read: {peers.error.message}</p>}
    {skill.unknown && <p class="quiet">Units, kinds and thresholds are not known: {skill.unknown}.</p>}
  </>;
}

const among = (p: Peers) => `${p.read < p.targets ? `${number(p.read)} of ` : ""}${number(p.targets)} on other nodes ${p.among ? `with ${p.among}` : "that have this skill"}`;

const threshold = (m: Metric | undefined) => (c: Check) => {
  const sign = c.op === "below" ? "≤" : "≥";
  return [["warning", c.warn], ["critical", c.critical]].flatMap(([level, v]) => (typeof v === "number" ? [`${level} ${sign} ${value(v, m?.unit)}`] : [])).join(", ");
};

/** crossed returns the worst level that a value has reached; undefined: none. */
function crossed(checks: Check[], x: unknown): string | undefined {
  if (typeof x !== "number") return undefined;
  const reached = (level: "warn" | "critical") => checks.some((c) => { const limit = c[level]; return limit !== undefined && (c.op === "below" ? x <= limit : x >= limit); });
  return reached("critical") ? "critical" : reached("warn") ? "warning" : undefined;
}

/** Lately reads a series when it is asked for: a page of hundreds would ask for hundreds. */
function Lately({ of, metric }: { of: Snapshot; metric: string }) {
  const [s, put] = useState<Series>();
  if (s) return <Spark points={s.points} label={metric} />;
  return <button type="button" class="copy" aria-label={`Show how ${metric} went`} onClick={() => void get<Series>(`${path(of)}/series?metric=${encodeURIComponent(metric)}`).then(put, () => undefined)}>show</button>;
}
