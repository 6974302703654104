// The official TypeScript SDK signs in at a server over HTTP, as an assistant's program does: it is turned away, finds
// out where to sign in, has its person's browser sent there, comes back with a code, lists the tools and calls one;
// then its access token is spoilt, so that it has to renew it without its person.
//
//     node drive.mjs '{"server": "https://…/mcp", "call": {"name": "…", "arguments": {…}}}'
//
// Beside `server` and `call` it may be given `browser` (an address that is POSTed {"url": …} and answers
// {"redirect": …}; without it the address is told in a line, and the redirect is read as one), `redirect` (where the
// person's browser is sent back to; nothing need listen there), `document` (the https address that it is known by; it
// registers itself where it has none) and `scope`. Then each line {"call": …} is a further call, as long as there are
// any. What comes of it is told line by line, as JSON; no line holds a token. It exits 0 where it got through, and 1
// where it did not.

import { Client, StreamableHTTPClientTransport, UnauthorizedError } from "@modelcontextprotocol/client";
import { randomUUID } from "node:crypto";
import { createInterface } from "node:readline/promises";

const given = JSON.parse(process.argv[2]);
const say = (line) => process.stdout.write(JSON.stringify(line) + "\n");
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

// What an assistant's program keeps for its person, in memory.
class Kept {
  clientMetadataUrl = given.document;
  redirectUrl = given.redirect ?? "http://127.0.0.1:8976/callback";
  asked = 0;

  get clientMetadata() {
    return {
      client_name: "TypeScript SDK",
      redirect_uris: [this.redirectUrl],
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
      token_endpoint_auth_method: "none",
      application_type: "native",
      ...(given.scope ? { scope: given.scope } : {}),
    };
  }

  state = () => (this.kept = randomUUID());
  clientInformation = () => this.client;
  saveClientInformation = (client) => void (this.client = client);
  tokens = () => this.held;
  saveTokens = (tokens) => void (this.held = tokens);
  discoveryState = () => this.discovered; // so that an answer of another authorization server is known for one
  saveDiscoveryState = (state) => void (this.discovered = state);
  codeVerifier = () => this.verifier;
  saveCodeVerifier = (verifier) => void (this.verifier = verifier);

  async redirectToAuthorization(url) {
    this.asked += 1;
    this.redirected = await sent(url.href);
  }

  // What came back with the browser, which is the answer to this program's own question.
  answer() {
    const answer = new URL(this.redirected);
    if (answer.origin + answer.pathname !== this.redirectUrl) throw new Error("the browser was sent elsewhere");
    if (answer.searchParams.get("state") !== this.kept) throw new Error("the answer is to another question");
    return answer.searchParams;
  }
}

// Where a person's browser ends up once it was sent to an address.
async function sent(url) {
  if (!given.browser) {
    say({ authorize: url });
    return JSON.parse((await lines.next()).value).redirect;
  }
  const body = JSON.stringify({ url });
  const answer = await fetch(given.browser, { method: "POST", headers: { "content-type": "application/json" }, body });
  return (await answer.json()).redirect;
}

async function connected(kept) {
  const opened = () => ({
    client: new Client({ name: "typescript-oauth", version: "1.0.0" }),
    transport: new StreamableHTTPClientTransport(new URL(given.server), { authProvider: kept }),
  });
  const first = opened();
  try {
    await first.client.connect(first.transport);
    return first.client;
  } catch (error) {
    if (!(error instanceof UnauthorizedError)) throw error;
  }
  await first.transport.finishAuth(kept.answer());
  const { client, transport } = opened();
  await client.connect(transport);
  return client;
}

async function main() {
  const kept = new Kept();
  const client = await connected(kept);
  say({ signedIn: kept.asked === 1, clientId: kept.client?.client_id, scope: kept.held.scope });
  say({ names: (await client.listTools()).tools.map((tool) => tool.name) });
  say({ saw: await client.callTool(given.call) });
  const before = kept.held;
  kept.held = { ...before, access_token: "spoilt" };
  say({ sawAgain: await client.callTool(given.call) });
  say({
    renewed: kept.asked === 1 && kept.held.access_token !== "spoilt" && kept.held.access_token !== before.access_token,
    rotated: kept.held.refresh_token !== before.refresh_token,
  });
  for await (const line of lines) say({ saw: await client.callTool(JSON.parse(line).call) });
  await client.close();
}

try {
  await main();
  process.exit(0);
} catch (error) {
  say({ raised: `${error?.name ?? "Error"}: ${error?.message ?? error}` });
  process.exit(1);
}
