// What was concluded before about the same, and whether people called it right.
import { list } from "./format";
import { Link, Mark, When } from "./parts";
import { to } from "./router";
import type { SimilarInsight } from "./types";

const words: Record<string, string> = { right: "right", not_quite: "not quite", wrong: "wrong", known: "right, but known" };

export function Similar({ of }: { of: SimilarInsight[] | null }) {
  if (list(of).length === 0) return null;
  return <section aria-labelledby="similar"><h2 id="similar">Seen before</h2>
    <p class="quiet">Earlier insights about the same metrics. They are the past: nothing on this page rests on them.</p>
    <ul class="rows">{list(of).map((s) => <li key={s.id} class="row"><Mark of={s.severity} short /><div><Link href={to("insights", s.id)}>{s.summary}</Link> <span class="quiet"><When at={s.created_at} /> · {judged(list(s.verdicts))}</span></div></li>)}</ul>
  </section>;
}

/** judged counts verdicts: "2 people called it right". */
function judged(verdicts: string[]): string {
  const counts = new Map<string, number>();
  for (const v of verdicts) counts.set(v, (counts.get(v) ?? 0) + 1);
  if (counts.size === 0) return "nobody judged it";
  return [...counts].map(([v, n]) => `${n === 1 ? "one person" : n + " people"} called it ${words[v] ?? v}`).join(", ");
}
