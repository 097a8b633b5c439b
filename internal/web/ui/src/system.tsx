// Whether the tool itself can be trusted.
import { list, number, plural } from "./format";
import { Mark, Page, State, useData, When } from "./parts";
import type { HealthCheck, System } from "./types";

export function SystemPage() {
  const v = useData<System>("/system");
  return <Page title="System" actions={<a class="button" href="/silences">Silences</a>}>
    <State of={v}>{(d) => <>
      <ul class="chips"><li>{d.me.connected ? "● connected" : "✕ not connected"} to {d.me.url}</li><li>{d.me.can_write ? "may ask and write" : "may only read"}</li><li>{plural(d.listeners, "live connection")}</li></ul>
      <Checks of={list(d.checks)} />
      <section aria-labelledby="streams"><h2 id="streams">Streams</h2><div class="scroll" tabIndex={0} role="region" aria-label="Table of the streams"><table class="streams"><thead><tr><th scope="col">stream</th><th scope="col">messages</th><th scope="col">of its limit</th><th scope="col">what</th></tr></thead><tbody>{list(d.streams).map((s) => <tr key={s.name}><th scope="row">{s.name}</th><td class="n">{s.error ?? number(s.messages)}</td><td class="n">{s.used_pct} %</td><td>{s.doc}</td></tr>)}</tbody></table></div></section>
      <section aria-labelledby="dead"><h2 id="dead">{plural(d.dead, "dead letter")}</h2>{d.dead === 0 && <p class="quiet">Everything could be handled.</p>}<ul>{list(d.dead_letters).map((l, k) => <li key={k}><When at={l.at} /> <code>{l.subject}</code> of {l.stream}: {l.reason}</li>)}</ul></section>
      <p><a href="/open">Open an exported insight</a></p>
    </>}</State>
  </Page>;
}

/** Checks is the list that `fleetlens doctor` prints. */
function Checks({ of }: { of: HealthCheck[] }) {
  const ill = of.filter((c) => c.verdict === "critical" || c.verdict === "warning").length;
  return <section aria-labelledby="checks"><h2 id="checks">{ill ? `${ill} of ${plural(of.length, "check")} ${ill === 1 ? "needs" : "need"} somebody` : `None of ${plural(of.length, "check")} needs somebody`}</h2>
    <div class="scroll" tabIndex={0} role="region" aria-label="Table of the checks"><table class="checks"><thead><tr><th scope="col">check</th><th scope="col">verdict</th><th scope="col">says</th><th scope="col">limit</th><th scope="col">what to do</th></tr></thead><tbody>{of.map((c) => <tr key={c.name}><th scope="row">{c.name}</th><td><Mark of={c.verdict} /></td><td>{c.says}</td><td>{c.limit}</td><td>{c.fix}</td></tr>)}</tbody></table></div>
    <p class="quiet"><code>fleetlens doctor</code> prints the same, and exits with 4 when something is critical.</p></section>;
}
