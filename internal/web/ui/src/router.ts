// Addresses: every state of a page that somebody may want to send stands in its URL.
import { signal } from "@preact/signals";

export interface Place {
  path: string[]; // decoded parts
  query: URLSearchParams;
  hash: string;
}

const read = (): Place => ({
  path: location.pathname.split("/").filter(Boolean).map(decodeURIComponent),
  query: new URLSearchParams(location.search),
  hash: location.hash.slice(1),
});

export const place = signal<Place>(read());

addEventListener("popstate", () => (place.value = read()));

export function go(to: string, replace = false): void {
  history[replace ? "replaceState" : "pushState"](null, "", to);
  place.value = read();
  if (!replace && !location.hash) scrollTo(0, 0);
}

/** set changes one parameter of the address, in place. */
export function set(name: string, value: string): void {
  const u = new URL(location.href);
  if (value) u.searchParams.set(name, value);
  else u.searchParams.delete(name);
  go(u.pathname + u.search + u.hash, true);
}

export const to = (...parts: string[]) => "/" + parts.map(encodeURIComponent).join("/");

// Links within the UI change the page without loading it anew.
document.addEventListener("click", (e) => {
  const a = (e.target as Element).closest?.("a");
  if (!a || a.origin !== location.origin || a.target || a.hasAttribute("download") || e.metaKey || e.ctrlKey || e.shiftKey || e.button || a.pathname.startsWith("/api/")) return;
  e.preventDefault();
  go(a.pathname + a.search + a.hash);
  if (!a.hash) (document.querySelector("h1") as HTMLElement | null)?.focus();
});
