// Speaks to the gateway over WebSocket through the `openai` package and prints what came of it as one
// JSON object. From the environment: BASE_URL, API_KEY.

import { createRequire } from "node:module";

const require = createRequire(import.meta.url); // unlike import, it looks into NODE_PATH
const OpenAI = require("openai").default;
const { ResponsesWS } = require("openai/resources/responses/ws");

const terminal = ["response.completed", "response.incomplete", "response.failed", "error"];
const create = { type: "response.create", model: "gpt-5.2", input: "Hello" };
const tools = [
  {
    type: "function",
    name: "get_weather",
    parameters: {
      type: "object",
      properties: { location: { type: "string" } },
      required: ["location"],
      additionalProperties: false,
    },
    strict: true,
  },
];

class Connection {
  constructor(apiKey) {
    this.socket = new ResponsesWS(new OpenAI({ baseURL: process.env.BASE_URL, apiKey, maxRetries: 0 }));
    this.messages = this.socket.stream();
  }

  // Returns the next event, or {type: "error", ...} or {type: "close", code} of the connection itself.
  async next() {
    for (;;) {
      const { value } = await this.messages.next();
      if (value.type === "message") return value.message;
      if (value.type === "error") return value.error.error ?? { type: "error", message: value.error.message };
      if (value.type === "close") return { type: "close", code: value.code };
    }
  }

  async untilEnd() {
    const events = [];
    do events.push(await this.next());
    while (!terminal.includes(events.at(-1).type));
    return events;
  }

  async respond(fields) {
    this.socket.send({ ...create, ...fields });
    return this.untilEnd();
  }
}

const scenarios = {
  async text(connection) {
    return [await connection.respond(), await connection.respond()];
  },
  async tool(connection) {
    const { response } = (await connection.respond({ tools })).at(-1);
    const call = response.output.find((item) => item.type === "function_call");
    const input = [{ type: "function_call_output", call_id: call.call_id, output: "18 degrees" }];
    return connection.respond({ tools, input, previous_response_id: response.id });
  },
  async errors(connection) {
    return {
      tools: await connection.respond({ tools: "none" }),
      previous: await connection.respond({ previous_response_id: "resp_other" }),
      afterwards: await connection.respond(),
    };
  },
  async lanes(connection) {
    const lanes = { one: [], two: [] };
    for (const stream_id of Object.keys(lanes)) connection.socket.send({ ...create, stream_id });
    while (!Object.values(lanes).every((events) => terminal.includes(events.at(-1)?.type))) {
      const event = await connection.next();
      lanes[event.stream_id].push(event);
    }
    return lanes;
  },
  async cancel(connection) {
    connection.socket.send({ ...create, input: "x".repeat(20000) });
    while ((await connection.next()).type !== "response.output_text.delta");
    connection.socket.send({ type: "response.cancel" });
    return { ended: (await connection.untilEnd()).at(-1), afterwards: await connection.respond() };
  },
};

const results = {};
for (const [name, scenario] of Object.entries(scenarios)) {
  const connection = new Connection(process.env.API_KEY);
  results[name] = await scenario(connection);
  connection.socket.close();
}
results.refused = await new Connection(`${process.env.API_KEY}x`).next();
console.log(JSON.stringify(results));
process.exit();
