// One unmodified SDK against one Cube; what it saw goes to standard output as JSON.
import OpenAI from "openai";

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

const text = await client.completions.create({ model, prompt: "What is Cube?", max_tokens: 5 });

console.log(JSON.stringify({
  models,
  whole: { content: whole.choices[0].message.content, finish: whole.choices[0].finish_reason, usage: whole.usage, requestID: whole._request_id },
  streamed: { content: streamed, chunks, finish, usage },
  helper: helper.choices[0].message.content,
  text: { content: text.choices[0].text, finish: text.choices[0].finish_reason },
  noToken: await failure(() => new OpenAI({ baseURL, apiKey: "forged", maxRetries: 0 }).models.list()),
  foreign: await failure(() => new OpenAI({ baseURL: foreignURL, apiKey, maxRetries: 0 }).chat.completions.create({ model, messages })),
  unknownModel: await failure(() => client.chat.completions.create({ model: "no-such-model", messages })),
  noMessages: await failure(() => client.chat.completions.create({ model })),
  unknownPath: await failure(() => client.images.generate({ model, prompt: "x" })),
}));
