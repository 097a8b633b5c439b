// What an insight hits: its nodes by the label that tells them from the others, and whom
// they are connected with.
import { useContext } from "preact/hooks";
import { Drawing } from "./drawing";
import { list, number, plural } from "./format";
import { severityOf } from "./insights";
import { Export, Fold, Link, Mark, State, useData, usePainted } from "./parts";
import { to } from "./router";
import type { Insight, Names, Radius, RadiusBox } from "./types";

/** Where shows the radius of an insight as it is now; of one that is read from a file, as it was exported with it. */
export function Where({ of }: { of: Insight }) {
  const well = severityOf(of) === "none", nodes = list(of.nodes), exported = useContext(Export), painted = usePainted();
  const now = useData<Radius>(well || exported || !painted ? "" : `/insights/${encodeURIComponent(of.id)}/radius`);
  return <section aria-labelledby="where"><h2 id="where">{well ? "Where" : "Blast radius"}</h2>
    {!well && (exported ? exported.radius && <Hit of={exported.radius} /> : <State of={now}>{(r) => <Hit of={r} />}</State>)}
    <p>{plural(nodes.length, "node")}: <Links of={{ count: nodes.length, first: nodes.slice(0, 50) }} /></p>
    {!well && !exported && <p><a href={"/map?insight=" + encodeURIComponent(of.id)}>Show it on the map</a></p>}
  </section>;
}

function Hit({ of }: { of: Radius }) {
  const groups = list(of.groups), boxes = list(of.boxes), name = new Map(boxes.map((b) => [b.id, b.name + note(b, " (", ")")]));
  return <>
    <ul>{groups.map((g) => <li key={g.label}><strong>{number(g.affected)} of {number(g.total)}</strong> with {g.label}</li>)}
      <li><strong>{number(of.rest.affected)} of {number(of.rest.total)}</strong> {groups.length ? "others" : "nodes"}</li>
      {of.silent.count > 0 && <li><Mark of="silent" />: {number(of.silent.count)} of them, <Links of={of.silent} /></li>}
      {of.unknown.count > 0 && <li>{number(of.unknown.count)} of them, of which no probe reports: <Links of={of.unknown} /></li>}</ul>
    {list(of.edges).length > 0 && <>
      <Sketch of={of} label="Drawing of what is hit and whom it is connected with; the table below says the same" />
      <Fold id="connections"><summary>Who connects to whom, as a table</summary><div class="scroll" tabIndex={0} role="region" aria-label="Connections of what is hit"><table><thead><tr><th scope="col">from</th><th scope="col">to</th><th scope="col">connections</th></tr></thead><tbody>{list(of.edges).map((e) => <tr key={e.from + " " + e.to}><th scope="row">{name.get(e.from)}</th><td>{name.get(e.to)}</td><td class="n">{number(e.connections)}</td></tr>)}</tbody></table></div></Fold>
    </>}
  </>;
}

const note = (b: RadiusBox, before = "", after = "") => (b.nodes > 1 ? before + plural(b.nodes, "node") + after : "");

/** Sketch draws a radius in at most 30 boxes. It is left out where its words would be too small. */
export const Sketch = ({ of, label }: { of: Radius; label: string }) => <div class="sketch"><Drawing label={label}
  boxes={list(of.boxes).map((b) => ({ id: b.id, name: b.name, note: note(b), look: b.affected ? "lit" : "dim" }))}
  lines={list(of.edges).map((e) => ({ from: e.from, to: e.to, look: e.from[0] === "a" && e.to[0] === "a" ? "lit" : "" }))} /></div>;

const Links = ({ of }: { of: Names }) => <>{list(of.first).map((n) => <><Link href={to("nodes", n)}>{n}</Link>{" "}</>)}{of.count > list(of.first).length && `and ${number(of.count - list(of.first).length)} more`}</>;
