// The HTTP API. Every error is words that a person can act upon.
import { signal } from "@preact/signals";

const prefix = "/api/v1";

export class Problem extends Error {
  constructor(message: string, readonly status: number, readonly role?: string) {
    super(message);
  }
}

/** signedOut is true when the server wants a token. */
export const signedOut = signal(false);

/** lost says since when the server does not answer; 0: it does. */
export const lost = signal(0);

export async function api<T>(path: string, init: RequestInit = {}): Promise<T> {
  let answer: Response;
  try {
    answer = await fetch(prefix + path, { ...init, headers: init.body ? { "Content-Type": "application/json", ...init.headers } : { ...init.headers } });
  } catch {
    if (!lost.value) lost.value = Date.now();
    throw new Problem("The server does not answer.", 0);
  }
  lost.value = 0;
  if (answer.status === 204) return undefined as T;
  const text = await answer.text();
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw new Problem(`The server answers what is no JSON (status ${answer.status}).`, answer.status);
  }
  if (answer.ok) return body as T;
  if (answer.status === 401) signedOut.value = true;
  const p = body as { error?: string; role?: string };
  throw new Problem(p.error ?? `status ${answer.status}`, answer.status, p.role);
}

export const get = <T>(path: string) => api<T>(path);

export const post = <T = void>(path: string, body: unknown) =>
  api<T>(path, { method: "POST", body: JSON.stringify(body), headers: { "Idempotency-Key": crypto.randomUUID() } });

/** signIn changes a token for a cookie. The token may stand behind the # of the address. */
export async function signIn(token: string): Promise<void> {
  await api("/session", { method: "POST", body: JSON.stringify({ token }) });
  signedOut.value = false;
}

/** query writes the parameters that are not empty. */
export function query(of: Record<string, string | number | undefined>): string {
  const q = new URLSearchParams();
  for (const [name, value] of Object.entries(of)) if (value !== undefined && value !== "") q.set(name, String(value));
  const text = q.toString();
  return text && "?" + text;
}
