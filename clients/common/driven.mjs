// What every Node.js client here has in common: it is told what to do line by line, and says what came of it.
// The lines are those of driven.py, which says more about them.

import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

const READS_MS = 1500; // an answer within a second is no person's (the server says so, rightly)

// Somebody who reads what the framework shows and approves it, when the framework can show anything.
class Person {
  shown = [];

  constructor(isThere) {
    this.isThere = isThere;
  }

  async decides(message, schema) {
    this.shown.push({ message, schema });
    await sleep(READS_MS);
    const field = ([name, one]) => [name, one.type === "boolean" ? true : "approve"];
    return Object.fromEntries(Object.entries(schema.properties).map(field));
  }
}

const told = (error) => `${error?.name ?? "Error"}: ${error?.message ?? error}`;

// connect(server, person, tools) gives {names, call, converts?, close}.
export async function driven(connect) {
  const write = process.stdout.write.bind(process.stdout);
  process.stdout.write = process.stderr.write.bind(process.stderr); // frameworks print what they like
  const say = (answer) => write(JSON.stringify(answer) + "\n");
  const given = JSON.parse(process.argv[2]);
  const person = new Person(given.person);
  let client;
  try {
    client = await connect(given.server, person, given.tools);
  } catch (error) {
    console.error(error);
    say({ raised: told(error) });
    process.exit(0);
  }
  say({ names: client.names, converts: Object.keys(client.converts ?? {}) });
  for await (const line of createInterface({ input: process.stdin })) {
    say(await done(client, person, JSON.parse(line)));
  }
  await client.close();
  process.exit(0);
}

async function done(client, person, order) {
  person.shown = [];
  try {
    if (order.do === "convert") {
      const { name, description, inputSchema } = order.tool;
      return { made: await client.converts[order.by](name, description, inputSchema) };
    }
    const saw = await client.call(order.tool, order.arguments);
    return { saw: typeof saw === "string" ? saw : JSON.stringify(saw), shown: person.shown };
  } catch (error) {
    console.error(error);
    return { raised: told(error), shown: person.shown };
  }
}
