// Addresses: every state of a page that somebody may want to send stands in its URL. How
// far a page was scrolled stands in its entry of the history.
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

/** returned is whether the page was come to by "back" or "forward": then the focus is where it was left. */
export let returned = false;

export function go(to: string, replace = false): void {
  if (!replace) keep();
  returned = false;
  history[replace ? "replaceState" : "pushState"](replace ? history.state : null, "", to);
  place.value = read();
  if (!replace && !location.hash) scrollTo(0, 0);
}

/** set changes one parameter of the address. Each choice is a step that "back" undoes; what is typed is not. */
export function set(name: string, value: string, replace = true): void {
  const u = new URL(location.href);
  if (value) u.searchParams.set(name, value);
  else u.searchParams.delete(name);
  const y = scrollY;
  go(u.pathname + u.search + u.hash, replace);
  scrollTo(0, y);
}

export const to = (...parts: string[]) => "/" + parts.map(encodeURIComponent).join("/");

// Scrolling.
interface Kept { y: number; rows: number }

let soon: ReturnType<typeof setTimeout> | undefined, restoring = false;

const rows = () => document.querySelector(".window");

function keep(): void {
  clearTimeout(soon);
  if (!restoring) history.replaceState({ y: scrollY, rows: rows()?.scrollTop ?? 0 } satisfies Kept, "");
}

/** restore scrolls to where the entry was left as soon as the page is long enough, until somebody scrolls. */
function restore(left?: string): void {
  const at = history.state as Kept | null, until = Date.now() + 3000;
  restoring = true;
  const turn = () => {
    if (!restoring) return;
    const w = rows();
    if (at?.rows && w) w.scrollTop = at.rows;
    if (at) scrollTo(0, at.y);
    const link = left && [...document.querySelectorAll<HTMLAnchorElement>("main a")].find((a) => a.pathname === left);
    if (link) {
      link.focus({ preventScroll: true });
      left = "";
    }
    const there = !at || (Math.abs(scrollY - at.y) < 2 && (!at.rows || (w && Math.abs(w.scrollTop - at.rows) < 2)));
    if ((there && !left) || Date.now() > until) restoring = false;
    else requestAnimationFrame(turn);
  };
  requestAnimationFrame(turn);
}

history.scrollRestoration = "manual";
if (history.state) restore();
let shown = location.pathname;
addEventListener("popstate", () => {
  clearTimeout(soon);
  const left = shown === location.pathname ? undefined : shown;
  returned = true;
  place.value = read();
  restore(left);
});
place.subscribe(() => (shown = location.pathname));
for (const e of ["wheel", "touchmove", "keydown", "pointerdown"]) addEventListener(e, () => (restoring = false), { passive: true, capture: true });
addEventListener("scroll", () => { clearTimeout(soon); soon = setTimeout(keep, 100); }, { passive: true, capture: true });
addEventListener("pagehide", keep);

// Links within the UI change the page without loading it anew.
document.addEventListener("click", (e) => {
  const a = (e.target as Element).closest?.("a");
  if (!a || a.origin !== location.origin || a.target || a.hasAttribute("download") || e.metaKey || e.ctrlKey || e.shiftKey || e.button || a.pathname.startsWith("/api/")) return;
  e.preventDefault();
  go(a.pathname + a.search + a.hash);
  const part = a.hash && document.getElementById(decodeURIComponent(a.hash.slice(1)));
  if (part) {
    part.scrollIntoView();
    ((part instanceof HTMLDetailsElement ? part : part.closest("section"))?.querySelector<HTMLElement>("input, summary, a, button") ?? part).focus({ preventScroll: true });
  }
});
