// The AI SDK: its OpenAI provider, by responses or by chat completions, the one for servers that speak as OpenAI's, or
// its Anthropic provider.

import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { APICallError, generateObject, generateText, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";
import {
  ASKED, BRIEF, BROKEN, CHAT, CLAUDE, ERROR, GREETING, MODEL, NAME, PIXEL, STREAM, STRUCTURED, TOOLS, tell,
} from "./tell.mjs";

const provider = createOpenAI({});
const compatible = createOpenAICompatible({
  name: "cca",
  baseURL: process.env.OPENAI_BASE_URL,
  apiKey: process.env.OPENAI_API_KEY,
  includeUsage: true,
  supportsStructuredOutputs: true,
});

const anthropic = createAnthropic({ baseURL: `${process.env.ANTHROPIC_BASE_URL}/v1` });

const model = {
  responses: () => provider(MODEL),
  chat: () => provider.chat(MODEL),
  compatible: () => compatible(MODEL),
  anthropic: () => anthropic(CLAUDE),
}[process.argv[2]]();
const plain = { model, maxRetries: 0 };

const get_weather = tool({
  description: "Say how the weather is in a city",
  inputSchema: z.object({ city: z.string() }),
  execute: async ({ city }) => `sunny in ${city}`,
});

async function chat() {
  return (await generateText({ ...plain, prompt: CHAT })).text;
}

async function stream() {
  const pieces = [];
  for await (const piece of streamText({ ...plain, prompt: STREAM }).textStream) pieces.push(piece);
  return pieces;
}

async function turns() {
  const messages = [
    { role: "user", content: NAME }, { role: "assistant", content: GREETING }, { role: "user", content: ASKED },
  ];
  const { text, usage } = await generateText({ ...plain, system: BRIEF, messages });
  return [text, usage.inputTokens];
}

async function tools() {
  const asked = { ...plain, prompt: TOOLS, tools: { get_weather }, stopWhen: stepCountIs(3) };
  return (await generateText(asked)).text;
}

async function streamed_tools() {
  const asked = { ...plain, prompt: TOOLS, tools: { get_weather }, stopWhen: stepCountIs(3) };
  return streamText(asked).text;
}

async function structured() {
  const schema = z.object({ name: z.string(), population: z.number().int() });
  return (await generateObject({ ...plain, schema, prompt: STRUCTURED })).object;
}

async function image() {
  const messages = [{ role: "user", content: [{ type: "image", image: PIXEL, mediaType: "image/png" }] }];
  return (await generateText({ ...plain, messages })).text;
}

async function error() {
  try {
    await generateText({ ...plain, prompt: ERROR });
  } catch (raised) {
    if (APICallError.isInstance(raised)) return raised.statusCode;
    throw raised;
  }
}

async function broken() {
  let told;
  await streamText({ ...plain, prompt: BROKEN, onError: () => (told = "an error") }).consumeStream();
  return told;
}

await tell(chat, stream, turns, tools, streamed_tools, structured, image, error, broken);
