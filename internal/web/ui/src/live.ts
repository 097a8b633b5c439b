// Live events. One connection a browser: a SharedWorker has it where there are such,
// else each page while it can be seen.
import { exported } from "./me";
import { open } from "./source";
import type { Event as Told } from "./types";

type Listener = (e: Told) => void;
const listeners = new Map<string, Set<Listener>>();
let resets = new Set<() => void>();

// What was read before events came may be old: something may have happened in between.
let early = false;

/** listen has events come. What is read from now on is read again when they begin to. */
export function listen(): void {
  early = true;
  begin();
}

function pass(topic: string, data: string): void {
  if (topic === "reset" || (topic === "ready" && early)) resets.forEach((f) => f());
  const all = listeners.get(topic);
  if (!all?.size) return;
  const e = JSON.parse(data) as Told;
  all.forEach((f) => f(e));
}

/** on listens to a topic; call what it returns to stop. */
export function on(topic: string, f: Listener): () => void {
  if (!listeners.has(topic)) listeners.set(topic, new Set());
  listeners.get(topic)!.add(f);
  begin();
  return () => void listeners.get(topic)!.delete(f);
}

/** onReset is called when events were missed and everything must be read anew. */
export function onReset(f: () => void): () => void {
  resets.add(f);
  return () => void resets.delete(f);
}

let begun = false;

function begin(): void {
  if (begun || exported.value) return; // of a file nothing comes
  begun = true;
  if (typeof SharedWorker !== "undefined") {
    const w = new SharedWorker("/worker.js", { name: "fleetlens" });
    w.port.onmessage = (m: MessageEvent<{ topic: string; data: string }>) => pass(m.data.topic, m.data.data);
    w.port.start();
    addEventListener("pagehide", () => w.port.postMessage("bye"));
    addEventListener("pageshow", (e) => e.persisted && w.port.postMessage("hello"));
    return;
  }
  let end: (() => void) | undefined;
  const look = () => {
    if (document.visibilityState === "visible") end ??= open(pass);
    else {
      end?.();
      end = undefined;
    }
  };
  document.addEventListener("visibilitychange", look);
  look();
}

