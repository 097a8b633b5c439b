// The one connection of a browser, shared by all its tabs.
import { open } from "./source";

const ports = new Set<MessagePort>();
let close: (() => void) | undefined, ready = false;

function enter(port: MessagePort): void {
  ports.add(port);
  if (ready) port.postMessage({ topic: "ready", data: "{}" });
  close ??= open((topic, data) => {
    ready ||= topic === "ready";
    ports.forEach((p) => p.postMessage({ topic, data }));
  });
}

addEventListener("connect", (e) => {
  const port = (e as MessageEvent).ports[0]!;
  port.onmessage = (m) => {
    if (m.data === "hello") return enter(port);
    ports.delete(port);
    if (ports.size) return;
    close?.();
    close = undefined;
    ready = false;
  };
  port.start();
  enter(port);
});
