// Speaks to the gateway through the `openai` package and prints what came of it as one JSON
// object. From the environment: GATEWAY_URL, BASE_URL, API_KEY, LIMITED_KEY (without the model), EMPTY_KEY
// (of a pool without accounts).

import { createRequire } from "node:module";

const require = createRequire(import.meta.url); // unlike import, it looks into NODE_PATH
const OpenAI = require("openai").default;

const model = "gpt-5.2";
const messages = [{ role: "user", content: "Hello" }];
const input = "Hello";
const parameters = {
  type: "object",
  properties: { location: { type: "string" } },
  required: ["location"],
  additionalProperties: false,
};
const weather = { name: "get_weather", parameters, strict: true };

const connect = (apiKey) => new OpenAI({ baseURL: process.env.BASE_URL, apiKey, maxRetries: 0 });
const client = connect(process.env.API_KEY);

async function collected(stream) {
  const items = [];
  for await (const item of stream) items.push(item);
  return items;
}

async function failure(promise) {
  try {
    await promise;
  } catch (error) {
    const { status, code, type, param, requestID } = error;
    return { class: error.constructor.name, status, code, type, param, request_id: requestID };
  }
  return null;
}

const scenarios = {
  async chat() {
    return client.chat.completions.create({ model, messages });
  },
  async chat_stream() {
    const stream_options = { include_usage: true };
    return collected(await client.chat.completions.create({ model, messages, stream: true, stream_options }));
  },
  async chat_helper() {
    const stream = client.chat.completions.stream({ model, messages });
    const deltas = [];
    stream.on("content", (delta) => deltas.push(delta));
    return { final: await stream.finalContent(), deltas };
  },
  async chat_tools() {
    const given = [];
    const run = async (location) => {
      given.push(location);
      return "18 degrees";
    };
    const tools = [{ type: "function", function: { ...weather, function: run, parse: JSON.parse } }];
    return { final: await client.chat.completions.runTools({ model, messages, tools }).finalContent(), given };
  },
  async responses() {
    const { data, request_id } = await client.responses.create({ model, input }).withResponse();
    return { ...data, request_id };
  },
  async responses_stream() {
    return collected(await client.responses.create({ model, input, stream: true }));
  },
  async responses_helper() {
    const stream = client.responses.stream({ model, input });
    const deltas = [];
    stream.on("response.output_text.delta", (event) => deltas.push(event.delta));
    return { final: (await stream.finalResponse()).output_text, deltas };
  },
  async responses_tools() {
    const tools = [{ type: "function", ...weather }];
    const context = [{ role: "user", content: "Hello" }];
    const asked = await client.responses.create({ model, input: context, tools });
    const call = asked.output.find((item) => item.type === "function_call");
    context.push(...asked.output, { type: "function_call_output", call_id: call.call_id, output: "18 degrees" });
    return { final: (await client.responses.create({ model, input: context, tools })).output_text, call };
  },
  async models() {
    return { list: await collected(client.models.list()), one: await client.models.retrieve("gpt-4.1") };
  },
  async surfaces() {
    const basic = Buffer.from(`:${process.env.API_KEY}`).toString("base64");
    const at = {
      basic: ["/api/v1/openai", { Authorization: `Basic ${basic}` }],
      extended: ["/openai/v1", {}],
      short: ["/openai", { Authorization: null, "x-bf-vk": process.env.API_KEY }],
    };
    const said = {};
    for (const [name, [path, defaultHeaders]] of Object.entries(at)) {
      const baseURL = process.env.GATEWAY_URL + path;
      const there = new OpenAI({ baseURL, apiKey: process.env.API_KEY, defaultHeaders, maxRetries: 0 });
      said[name] = {
        whole: await there.chat.completions.create({ model, messages }),
        streamed: await there.chat.completions.stream({ model, messages }).finalContent(),
        error: await failure(there.chat.completions.create({ model, messages: [] })),
      };
    }
    return said;
  },
  async errors() {
    const wrong = connect(`${process.env.API_KEY}x`);
    const limited = connect(process.env.LIMITED_KEY);
    const empty = connect(process.env.EMPTY_KEY);
    return {
      400: await failure(client.responses.create({ model, input, tools: "none" })),
      401: await failure(wrong.chat.completions.create({ model, messages, stream: true })),
      403: await failure(limited.responses.create({ model, input })),
      404: await failure(client.models.retrieve("gpt-9")),
      503: await failure(empty.chat.completions.create({ model, messages, stream: true })),
    };
  },
};

const said = {};
for (const [name, scenario] of Object.entries(scenarios)) {
  said[name] = await scenario();
}
console.log(JSON.stringify(said));
