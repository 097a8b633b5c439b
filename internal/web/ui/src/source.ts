// The connection that events come by.
const topics = ["insights", "investigations", "findings", "anomalies", "changes", "nodes", "people", "reset"];

/** open listens until what it returns is called; the topic ready says that it does, again
 * after each break. A browser tries again by itself when the connection breaks, but not when
 * it was refused: that is done here. */
export function open(take: (topic: string, data: string) => void): () => void {
  let source: EventSource, again: ReturnType<typeof setTimeout> | undefined;
  const begin = () => {
    source = new EventSource("/api/v1/events");
    source.addEventListener("open", () => take("ready", "{}"));
    for (const t of topics) source.addEventListener(t, (m) => take(t, (m as MessageEvent<string>).data));
    source.addEventListener("error", () => {
      if (source.readyState === EventSource.CLOSED) again = setTimeout(begin, 3000);
    });
  };
  begin();
  return () => { clearTimeout(again); source.close(); };
}
