// The Vercel AI SDK, LangChain and, where the model server is Ollama, its own client against one Cube; what they saw goes to standard output as JSON.
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { ChatOpenAI } from "@langchain/openai";
import { generateText, streamText } from "ai";
import { Ollama } from "ollama";

const { CUBE_BASE_URL: baseURL, CUBE_TOKEN: apiKey, CUBE_MODEL: model, CUBE_NATIVE_URL: nativeURL } = process.env;
const prompt = "Say hello to Ada.";
const provider = (key) => createOpenAICompatible({ name: "cube", baseURL, apiKey: key, includeUsage: true });

const generated = await generateText({ model: provider(apiKey)(model), prompt, maxOutputTokens: 12, maxRetries: 0 });
const stream = streamText({ model: provider(apiKey)(model), prompt, maxOutputTokens: 12, maxRetries: 0 });
let [streamed, deltas] = ["", 0];
for await (const text of stream.textStream) {
  streamed += text;
  deltas++;
}

let refused = null;
try {
  await generateText({ model: provider("forged")(model), prompt, maxRetries: 0 });
} catch (error) {
  refused = { status: error.statusCode, isRetryable: error.isRetryable, message: error.message };
}

const chain = new ChatOpenAI({ model, apiKey, configuration: { baseURL }, maxTokens: 12, maxRetries: 0, streamUsage: true });
const invoked = await chain.invoke(prompt);
let [chained, chainedUsage] = ["", null];
for await (const chunk of await chain.stream(prompt)) {
  chained += chunk.content;
  chainedUsage = chunk.usage_metadata ?? chainedUsage;
}

let native = null;
if (nativeURL) {
  const ollama = new Ollama({ host: nativeURL, headers: { Authorization: `Bearer ${apiKey}` } });
  const [tags, chat, embed] = [await ollama.list(), await ollama.chat({ model, messages: [{ role: "user", content: prompt }], options: { num_predict: 8 } }), await ollama.embed({ model, input: ["a", "b"] })];
  let [lines, text] = [0, ""];
  for await (const part of await ollama.chat({ model, messages: [{ role: "user", content: prompt }], stream: true, options: { num_predict: 8 } })) {
    lines++;
    text += part.message.content;
  }

  native = { models: tags.models.map((found) => found.name), chat: chat.message.content, embeddings: embed.embeddings.length, lines, text };
}

console.log(JSON.stringify({
  generated: { text: generated.text, finish: generated.finishReason, usage: generated.usage },
  streamed: { text: streamed, deltas, finish: await stream.finishReason, usage: await stream.usage },
  refused,
  invoked: { text: invoked.content, usage: invoked.usage_metadata },
  chained: { text: chained, usage: chainedUsage },
  native,
}));
