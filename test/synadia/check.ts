// What the protocol's own client sees of a fleet: NATS_URL says where it is.
import assert from "node:assert/strict";
import { connect } from "@nats-io/transport-node";
import { Agents } from "./client/src/index.js";

const nc = await connect({ servers: process.env["NATS_URL"]! });
const agents = new Agents({ nc });
const found = await agents.discover();
assert.equal(found.length, 1, "one agent is discovered");
const agent = found[0]!;
assert.equal(agent.agent, "fleetlens");
assert.equal(agent.owner, "default");

const kinds: string[] = [];
let text = "";
for await (const m of await agent.prompt("is this host healthy?")) {
  kinds.push(m.type === "status" ? `status ${m.status}` : m.type);
  if (m.type === "response") text += m.text;
}
assert.equal(kinds[0], "status ack", "the first message is the acknowledgement");
// The client says "done" at the terminator, and throws where there is none.
assert.deepEqual(kinds.slice(-2), ["response", "status done"]);
assert.match(text, /web-1/);
assert.equal(await agents.ping(agent.instanceId), true, "it answers a ping");

// What the client itself refuses to send.
for (const body of ["", "{bad"]) {
  const seen: string[] = [];
  for await (const m of await nc.requestMany(agent.promptEndpoint.subject, body, { strategy: "sentinel", maxWait: 10_000 })) {
    const code = m.headers?.get("Nats-Service-Error-Code");
    seen.push(code ? code : m.data.length === 0 ? "end" : m.string());
  }
  assert.deepEqual(seen.slice(0, 1), ["400"], `${JSON.stringify(body)} is refused: ${seen}`);
}
await agents.close();
await nc.close();
console.log(`${kinds.join(", ")}: ${text}`);
