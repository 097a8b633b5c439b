// The one connection of a browser, shared by all its tabs.
const ports = new Set<MessagePort>();
let source: EventSource | undefined;
const topics = ["insights", "investigations", "findings", "anomalies", "changes", "nodes", "people", "reset"];

function open(): void {
  source = new EventSource("/api/v1/events");
  for (const topic of topics)
    source.addEventListener(topic, (m) => {
      for (const p of ports) p.postMessage({ topic, data: (m as MessageEvent<string>).data });
    });
}

addEventListener("connect", (e) => {
  const port = (e as MessageEvent).ports[0]!;
  ports.add(port);
  port.onmessage = (m) => {
    if (m.data === "bye") ports.delete(port);
    if (!ports.size) {
      source?.close();
      source = undefined;
    }
  };
  port.start();
  if (!source || source.readyState === EventSource.CLOSED) open();
});
