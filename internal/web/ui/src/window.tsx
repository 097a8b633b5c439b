// A list of any length, of which the rows that can be seen are on the page.
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { ago } from "./format";
import { Mark } from "./parts";
import { to } from "./router";
import type { Row } from "./rows";

const height = 32;

/** Window shows the rows that can be seen of a list of any length. */
export function Window({ rows, filter }: { rows: Row[]; filter: string }) {
  const box = useRef<HTMLDivElement>(null);
  const [top, scroll] = useState(0), [view, measure] = useState(600);
  useEffect(() => {
    const el = box.current!;
    const look = () => { scroll(el.scrollTop); measure(el.clientHeight); };
    look();
    el.addEventListener("scroll", look, { passive: true });
    addEventListener("resize", look);
    return () => { el.removeEventListener("scroll", look); removeEventListener("resize", look); };
  }, []);
  // The row that somebody reads stays where it is when others come before it.
  const anchor = useRef<{ name: string; at: number; focused: boolean } | undefined>(undefined);
  const first = Math.max(0, Math.floor(top / height) - 8), last = Math.min(rows.length, Math.ceil((top + view) / height) + 8);
  const [above, tell] = useState(0);
  useLayoutEffect(() => {
    const el = box.current!, old = anchor.current;
    const moved = old && rows.findIndex((r) => r.node.node === old.name);
    if (old && moved !== undefined && moved >= 0 && moved !== old.at && (old.focused || el.scrollTop > 0)) {
      if (moved > old.at) tell((n) => n + moved - old.at);
      el.scrollTop += (moved - old.at) * height;
    }
  }, [rows]);
  useLayoutEffect(() => {
    const el = box.current!, link = el.contains(document.activeElement) && document.activeElement!.closest("tr")?.dataset.node;
    const at = link ? rows.findIndex((r) => r.node.node === link) : Math.min(rows.length - 1, Math.floor(el.scrollTop / height));
    anchor.current = at >= 0 ? { name: rows[at]!.node.node, at, focused: !!link } : undefined;
    if (el.scrollTop < height && above) tell(0);
  });
  useLayoutEffect(() => { box.current!.scrollTop = 0; anchor.current = undefined; }, [filter]);
  const focus = () => { // it must be known before the next rows come
    const name = document.activeElement?.closest("tr")?.dataset.node, at = name ? rows.findIndex((r) => r.node.node === name) : -1;
    if (at >= 0) anchor.current = { name: name!, at, focused: true };
  };
  // A row that is scrolled away takes the focus with it: the list has it then.
  const gone = useRef(false);
  gone.current = !!anchor.current?.focused && (anchor.current.at < first || anchor.current.at >= last);
  useLayoutEffect(() => { if (gone.current && document.activeElement === document.body) box.current!.focus({ preventScroll: true }); });
  return <>
    <div class="polite" role="status">{above > 0 && <button type="button" class="fresh" onClick={() => { box.current!.scrollTop = 0; box.current!.focus(); tell(0); }}>{above} more above</button>}</div>
    <div class="window" ref={box} tabIndex={0} role="region" aria-label="Nodes, the worst first" onFocusIn={focus}>
    <table aria-rowcount={rows.length + 1}>
      <thead><tr aria-rowindex={1}><th scope="col">node</th><th scope="col">state</th><th scope="col">seen</th><th scope="col">stands out by</th></tr></thead>
      <tbody>
        <tr key="above" class="gap" aria-hidden="true"><td style={{ height: first * height + "px" }} /></tr>
        {rows.slice(first, last).map((r, k) => <tr key={r.node.node} data-node={r.node.node} aria-rowindex={first + k + 2}><th scope="row"><a href={to("nodes", r.node.node)} title={r.node.node}>{r.node.node}</a></th><td><Mark of={r.state} /></td><td>{ago(r.node.last_seen)}</td><td class="cut" title={r.more || r.why}>{r.why}</td></tr>)}
        <tr key="below" class="gap" aria-hidden="true"><td style={{ height: (rows.length - last) * height + "px" }} /></tr>
      </tbody>
    </table>
    </div>
  </>;
}
