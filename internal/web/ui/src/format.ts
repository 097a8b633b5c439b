// How values are written. One zone for all times of a page.
import { signal } from "@preact/signals";

export const utc = signal(localStorage.getItem("zone") !== "local");

export function toggleZone(): void {
  utc.value = !utc.value;
  localStorage.setItem("zone", utc.value ? "utc" : "local");
}

const two = (n: number) => String(n).padStart(2, "0");

export function time(at: string | number | undefined, seconds = true): string {
  if (!at) return "–";
  const d = new Date(at);
  if (isNaN(d.getTime()) || d.getTime() <= 0) return "–";
  const [h, m, s] = utc.value ? [d.getUTCHours(), d.getUTCMinutes(), d.getUTCSeconds()] : [d.getHours(), d.getMinutes(), d.getSeconds()];
  return two(h) + ":" + two(m) + (seconds ? ":" + two(s) : "");
}

export function date(at: string | number | undefined): string {
  if (!at) return "–";
  const d = new Date(at);
  if (isNaN(d.getTime()) || d.getTime() <= 0) return "–";
  const [y, m, day] = utc.value ? [d.getUTCFullYear(), d.getUTCMonth(), d.getUTCDate()] : [d.getFullYear(), d.getMonth(), d.getDate()];
  return `${y}-${two(m + 1)}-${two(day)} ${time(at)}`;
}

export const zone = () => (utc.value ? "UTC" : "local time");

export function ago(at: string | number | undefined, now = Date.now()): string {
  if (!at) return "never";
  const s = Math.max(0, Math.round((now - new Date(at).getTime()) / 1000));
  if (s < 60) return `${s} s ago`;
  if (s < 3600) return `${Math.round(s / 60)} min ago`;
  if (s < 48 * 3600) return `${Math.round(s / 3600)} h ago`;
  return `${Math.round(s / 86400)} d ago`;
}

export function span(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`;
}

const units: Record<string, string> = {
  percent: " %", bytes: " B", KiB: " KiB", MiB: " MiB", seconds: " s", milliseconds: " ms", per_second: " /s", bytes_per_second: " B/s", count: "", ratio: "", load: "", text: "",
};

/** grouped sets a comma after each three digits. What browsers have for it takes 20 ms at its first use. */
function grouped(v: number): string {
  const [whole, part] = String(v).split(".");
  return whole!.replace(/\B(?=(\d{3})+$)/g, ",") + (part ? "." + part : "");
}

export function number(v: number): string {
  if (!isFinite(v)) return String(v);
  const digits = Math.abs(v) >= 100 || Number.isInteger(v) ? 0 : Math.abs(v) >= 1 ? 2 : 4;
  return grouped(Number(v.toFixed(digits)));
}

export function value(v: unknown, unit?: string): string {
  if (typeof v === "number") return number(v) + (units[unit ?? ""] ?? (unit ? " " + unit : ""));
  if (typeof v === "string") return v;
  return v === undefined || v === null ? "–" : JSON.stringify(v);
}

export const list = <T>(v: T[] | null | undefined): T[] => v ?? [];

export const plural = (n: number, what: string) => `${grouped(n)} ${what}${n === 1 ? "" : "s"}`;
