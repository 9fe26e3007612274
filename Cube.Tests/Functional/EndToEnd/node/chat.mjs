// One unmodified SDK against one Cube; what it saw goes to standard output as JSON.
const { default: OpenAI } = await import(process.env.CUBE_OPENAI ?? "openai");
const { CUBE_BASE_URL: baseURL, CUBE_TOKEN: apiKey, CUBE_MODEL: model, CUBE_FOREIGN_URL: foreignURL } = process.env;
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
const messages = [{ role: "user", content: "What is Cube?" }];

const failure = async (call) => {
  try {
    await call();
    return null;
  } catch (error) {
    return { name: error.constructor.name, status: error.status, code: error.code, type: error.type, requestID: error.requestID };
  }
};

const models = [];
for await (const found of client.models.list()) models.push(found.id);

const whole = await client.chat.completions.create({ model, messages });

let [streamed, chunks, finish, usage] = ["", 0, null, null];
for await (const chunk of await client.chat.completions.create({ model, messages, stream: true, stream_options: { include_usage: true } })) {
  chunks++;
  streamed += chunk.choices[0]?.delta?.content ?? "";
  finish = chunk.choices[0]?.finish_reason ?? finish;
  usage = chunk.usage ?? usage;
}

const helper = await client.chat.completions.stream({ model, messages }).finalChatCompletion();

const left = new AbortController();
const abandoned = await client.chat.completions.create({ model, messages, stream: true }, { signal: left.signal });
for await (const _ of abandoned) {
  left.abort();
  break;
}

// What cannot succeed is asked once.
let attempts = 0;
const patient = (key) => new OpenAI({ baseURL, apiKey: key, maxRetries: 2, fetch: (...args) => (attempts++, fetch(...args)) });
const tries = async (call) => {
  attempts = 0;
  const failed = await failure(call);
  return { ...failed, attempts };
};
const tried = {
  noToken: await tries(() => patient("forged").models.list()),
  unknownModel: await tries(() => patient(apiKey).chat.completions.create({ model: "no-such-model", messages })),
  noMessages: await tries(() => patient(apiKey).chat.completions.create({ model })),
};

const input = "What is Cube?";
const response = await client.responses.create({ model, input });
let [events, delta, ended] = [[], "", null];
for await (const event of await client.responses.create({ model, input, stream: true })) {
  events.push(event.type);
  delta += event.type === "response.output_text.delta" ? event.delta : "";
  ended = event.response ?? ended;
}
const final = await client.responses.stream({ model, input }).finalResponse();

const text = await client.completions.create({ model, prompt: "What is Cube?", max_tokens: 5 });

console.log(JSON.stringify({
  models,
  whole: { content: whole.choices[0].message.content, finish: whole.choices[0].finish_reason, usage: whole.usage, requestID: whole._request_id },
  streamed: { content: streamed, chunks, finish, usage },
  helper: helper.choices[0].message.content,
  tried,
  response: { text: response.output_text, status: response.status, usage: response.usage },
  responseStream: { text: delta, first: events[0], last: events.at(-1), usage: ended.usage, helper: final.output_text },
  node: process.versions.node,
  text: { content: text.choices[0].text, finish: text.choices[0].finish_reason },
  noToken: await failure(() => new OpenAI({ baseURL, apiKey: "forged", maxRetries: 0 }).models.list()),
  foreign: await failure(() => new OpenAI({ baseURL: foreignURL, apiKey, maxRetries: 0 }).chat.completions.create({ model, messages })),
  unknownModel: await failure(() => client.chat.completions.create({ model: "no-such-model", messages })),
  noMessages: await failure(() => client.chat.completions.create({ model })),
  stored: await failure(() => client.responses.create({ model, input, store: true })),
  unknownPath: await failure(() => client.images.generate({ model, prompt: "x" })),
}));
