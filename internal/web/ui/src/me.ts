// What may be done here.
import { signal } from "@preact/signals";
import { get, lost } from "./api";
import type { Me } from "./types";

export const me = signal<Me | undefined>(undefined);
export const mayWrite = signal(false);
/** reader is whether nothing may be written for good: then there is nothing to fill in either. */
export const reader = signal(false);
/** why is what is missing where nothing may be written; empty: nothing is. */
export const why = signal("");
/** away says since when the server is not connected with NATS; 0: it is. */
export const away = signal(0);

/** exported is whether the server has no fleet, and shows an exported insight instead. */
export const exported = signal(false);

export async function learn(): Promise<void> {
  try {
    const m = await get<Me>("/me");
    me.value = m;
    exported.value = !!m.opened;
    if (m.opened) return;
    away.value = m.connected ? 0 : away.value || Date.now();
    mayWrite.value = m.can_write && m.connected;
    if (m.connected) reader.value = !m.can_write;
    why.value = !m.connected ? "Not while NATS is away." : m.can_write ? "" : `This needs the role ${m.role ?? "client"}.`;
  } catch {
    mayWrite.value = false;
    why.value = lost.value ? "Not while the server does not answer." : "Sign in first.";
  }
}
