// One stream that fails in its middle, read by each SDK; prints what each of them made of it.
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { ChatOpenAI } from "@langchain/openai";
import { streamText } from "ai";

const { default: OpenAI } = await import(process.env.CUBE_OPENAI ?? "openai");
const { CUBE_BASE_URL: baseURL, CUBE_TOKEN: apiKey, CUBE_MODEL: model } = process.env;
const messages = [{ role: "user", content: "hi" }];

const failure = async (read) => {
  try {
    await read();
    return null;
  } catch (error) {
    return { name: error.constructor.name, code: error.code ?? null, message: String(error.message) };
  }
};

console.log(JSON.stringify({
  openai: await failure(async () => {
    for await (const _ of await new OpenAI({ baseURL, apiKey, maxRetries: 0 }).chat.completions.create({ model, messages, stream: true }));
  }),
  response: await failure(async () => {
    for await (const _ of await new OpenAI({ baseURL, apiKey, maxRetries: 0 }).responses.create({ model, input: "hi", stream: true }));
  }),
  helper: await failure(() => new OpenAI({ baseURL, apiKey, maxRetries: 0 }).chat.completions.stream({ model, messages }).finalChatCompletion()),
  ai: await failure(async () => {
    const result = streamText({ model: createOpenAICompatible({ name: "cube", baseURL, apiKey })(model), prompt: "hi", maxRetries: 0, onError: () => {} });
    for await (const part of result.fullStream) {
      if (part.type === "error") throw part.error;
    }
  }),
  langchain: await failure(async () => {
    for await (const _ of await new ChatOpenAI({ model, apiKey, configuration: { baseURL }, maxRetries: 0 }).stream("hi"));
  }),
}));
