// The read-only questions of a host.
import { useState } from "preact/hooks";
import { post, Problem } from "./api";
import { mayWrite } from "./me";
import { Needs, Wrong } from "./parts";
import type { CallReply } from "./types";

/** Console asks a host one of its read-only questions. */
export function Console({ node, targets }: { node: string; targets: string[] }) {
  const [callback, name] = useState("system_top_processes"), [args, give] = useState("[5]"), [target, of] = useState("host"), [answer, put] = useState<CallReply>(), [wrong, fail] = useState<Problem>();
  const ask = (e: Event) => {
    e.preventDefault();
    let values: unknown;
    try { values = args.trim() ? JSON.parse(args) : undefined; } catch { fail(new Problem("The arguments are no JSON: a list as [5, \"memory\"], or names and values.", 400)); return; }
    post<CallReply>("/calls", { node, target, callback, args: values }).then((a) => { put(a); fail(undefined); }, fail);
  };
  return <section aria-labelledby="console"><h2 id="console">Ask this host</h2>
    <form onSubmit={ask} class="filters"><label>Target <select value={target} onChange={(e) => of(e.currentTarget.value)}>{targets.map((t) => <option key={t}>{t}</option>)}</select></label><label>Question <input value={callback} onInput={(e) => name(e.currentTarget.value)} /></label><label>Arguments (JSON) <input value={args} onInput={(e) => give(e.currentTarget.value)} /></label><button disabled={!mayWrite.value}>Ask</button><Needs /></form>
    {wrong && <Wrong problem={wrong} />}
    {answer && <><pre tabIndex={0}>{JSON.stringify(answer.value, null, 2)}</pre>{answer.truncated && <p class="quiet">The answer was cut to fit.</p>}</>}
  </section>;
}
