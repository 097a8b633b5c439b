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

async function reach(path: string, init: RequestInit): Promise<Response> {
  try {
    const answer = await fetch(prefix + path, { ...init, headers: init.body ? { "Content-Type": "application/json", ...init.headers } : { ...init.headers } });
    lost.value = 0;
    return answer;
  } catch {
    if (!lost.value) lost.value = Date.now();
    throw new Problem("The server does not answer.", 0);
  }
}

async function read<T>(answer: Response): Promise<T> {
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
  throw problem(body, answer.status);
}

function problem(body: unknown, status: number): Problem {
  const p = body as { error?: string; role?: string };
  return new Problem(p.error ?? `status ${status}`, status, p.role);
}

export const api = async <T>(path: string, init: RequestInit = {}): Promise<T> => read<T>(await reach(path, init));

/** getNew reads a path unless it is what it was, by the tag that it had; undefined: it is. */
export async function getNew<T>(path: string, tag?: string): Promise<{ data: T; tag: string | null } | undefined> {
  const answer = await reach(path, {}), now = answer.headers.get("ETag");
  if (answer.ok && tag && now === tag) {
    void answer.body?.cancel();
    return undefined;
  }
  return { data: await read<T>(answer), tag: now };
}

export const get = <T>(path: string) => api<T>(path);

/** post says something; said twice under one key it is said once. */
export const post = <T = void>(path: string, body: unknown, key: string = crypto.randomUUID()) =>
  api<T>(path, { method: "POST", body: JSON.stringify(body), headers: { "Idempotency-Key": key } });

/** postParts is post for an answer that comes while it is being made: part gets each event before it. */
export async function postParts<P, T>(path: string, body: unknown, part: (p: P) => void): Promise<T> {
  const answer = await reach(path, { method: "POST", body: JSON.stringify(body), headers: { Accept: "text/event-stream" } });
  if (!answer.ok || !answer.body) return read<T>(answer);
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let text = ""; ; ) {
    const { value, done } = await reader.read().catch(() => ({ value: undefined, done: true }));
    if (done) throw new Problem("The server broke off before the answer came.", 0);
    const events = (text + value).split("\n\n");
    text = events.pop()!;
    for (const e of events) {
      const [, name, data] = /^event: (\w+)\ndata: (.*)$/.exec(e) ?? [];
      if (name === "part") part(JSON.parse(data!) as P);
      if (name === "answer") return JSON.parse(data!) as T;
      if (name === "problem") throw problem(JSON.parse(data!), 0);
    }
  }
}

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
