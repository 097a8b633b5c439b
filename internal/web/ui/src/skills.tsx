// How each skill of a node does.
import { list, value } from "./format";
import { Mark } from "./parts";
import type { Anomaly, NodeView, Snapshot } from "./types";

const hour = 3_600_000, ranks = ["info", "warning", "critical"];

/** Skills is a row of a node's skills, each with its state, and says what the snapshots lack. */
export function Skills({ of, anomalies }: { of: NodeView; anomalies: Anomaly[] }) {
  const all = list(of.targets).flatMap((t) => list(t.skills).map((skill) => ({ target: t, skill, snapshot: list(of.snapshots).find((s) => s.target === t.name && s.skill === skill) })));
  const recent = anomalies.filter((a) => Date.now() - Date.parse(a.detected_at) < hour);
  const worst = (target: string, skill: string) => recent.filter((a) => a.target === target && a.skill === skill).sort((a, b) => ranks.indexOf(b.severity) - ranks.indexOf(a.severity))[0];
  const lacks = all.filter((x) => !x.snapshot || list(x.snapshot.errors).length);
  return <section aria-labelledby="skills"><h2 id="skills">Skills</h2>
    <ul class="chips">{all.map(({ target, skill, snapshot }) => {
      const a = worst(target.name, skill), name = <>{skill} <span class="quiet">{target.name === target.kind ? target.name : `${target.name}, ${target.kind}`}</span></>;
      return <li key={target.name + "/" + skill} title={a && `${a.metric} ${value(a.value, a.unit)}, usually ${value(a.baseline, a.unit)}`}><Mark of={a?.severity ?? whole(snapshot)} /> {snapshot ? <a href={`#${target.name}/${skill}`}>{name}</a> : name}</li>;
    })}</ul>
    {!all.length && <p class="quiet">Its probe names none.</p>}
    {lacks.length > 0 && <ul>{lacks.map(({ target, skill, snapshot }) => <li key={target.name + "/" + skill}>{skill} of {target.name}: {snapshot ? list(snapshot.errors).join("; ") : "no snapshot in the last day"}</li>)}</ul>}
  </section>;
}

const whole = (s: Snapshot | undefined) => (!s ? "missing" : list(s.errors).length ? "incomplete" : "read");
