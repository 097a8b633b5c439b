// A drawing of who opens connections to whom: from left to right, callers first.

/** A Box is a node, or some of one kind; a lit one is marked by its frame and a shape. */
export interface Box { id: string; name: string; note?: string; look?: "lit" | "dim" | "" }

export interface Line { from: string; to: string; look: string }

const width = 180, step = 230, letters = 25;

/** Drawing needs the same beside it as text: its label says where. */
export function Drawing({ boxes, lines, label }: { boxes: Box[]; lines: Line[]; label: string }) {
  const level = new Map(boxes.map((b) => [b.id, 0]));
  for (let turn = 0; turn < 6; turn++) for (const l of lines) if (level.get(l.to)! <= level.get(l.from)! && level.get(l.from)! < 5) level.set(l.to, level.get(l.from)! + 1);
  const columns: Box[][] = [];
  for (const b of boxes) (columns[level.get(b.id)!] ??= []).push(b);
  const tall = boxes.some((b) => b.note) ? 40 : 24, at = new Map<string, [number, number]>();
  columns.filter(Boolean).forEach((c, x) => c.forEach((b, y) => at.set(b.id, [x * step + 10, y * (tall + 10) + 10])));
  const w = columns.filter(Boolean).length * step - step + width + 20, h = Math.max(...columns.map((c) => c?.length ?? 0)) * (tall + 10) + 10;
  return <div class="scroll" tabIndex={0} role="region" aria-label={label}><svg class="map" viewBox={`0 0 ${w} ${h}`} style={{ width: w + "px" }} aria-hidden="true">
    {lines.map((l) => <Arrow key={l.from + " " + l.to} of={l} from={at.get(l.from)!} to={at.get(l.to)!} middle={tall / 2} />)}
    {boxes.map((b) => { const [x, y] = at.get(b.id)!, name = (b.look === "lit" ? "▲ " : "") + b.name; return <g key={b.id} class={b.look}><title>{b.name}</title><rect x={x} y={y} width={width} height={tall} rx="4" /><text x={x + 8} y={y + (b.note ? 16 : tall / 2 + 4)}>{name.length > letters ? name.slice(0, letters - 1) + "…" : name}</text>{b.note && <text class="soft" x={x + 8} y={y + 32}>{b.note}</text>}</g>; })}
  </svg></div>;
}

/** Arrow goes from the side of a box to the nearer one of another; back to the left somewhat lower. */
function Arrow({ of, from: [x1, y1], to: [x2, y2], middle }: { of: Line; from: [number, number]; to: [number, number]; middle: number }) {
  const back = x2 <= x1, way = back ? -1 : 1, x = back ? x1 : x1 + width, end = back ? x2 + width : x2, a = y1 + middle + (back ? 6 : 0), b = y2 + middle + (back ? 6 : 0);
  return <g class={"edge " + of.look}><path d={`M${x} ${a}C${x + 25 * way} ${a} ${end - 30 * way} ${b} ${end - 6 * way} ${b}`} /><path class="head" d={`M${end} ${b}l${-8 * way} -4v8z`} /></g>;
}
