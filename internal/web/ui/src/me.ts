// What may be done here.
import { signal } from "@preact/signals";
import { get } from "./api";
import type { Me } from "./types";

export const me = signal<Me | undefined>(undefined);
export const mayWrite = signal(false);

export async function learn(): Promise<void> {
  me.value = await get<Me>("/me");
  mayWrite.value = me.value.can_write && me.value.connected;
}
