// openai-node, by chat completions.

import OpenAI from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";
import {
  ASKED, BRIEF, BROKEN, CHAT, ERROR, GREETING, MODEL, NAME, PIXEL, STREAM, STRUCTURED, TOOLS, tell,
} from "./tell.mjs";

const client = new OpenAI({ maxRetries: 0 });

const weather = {
  type: "function",
  function: {
    name: "get_weather",
    description: "Say how the weather is in a city",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
    function: ({ city }) => `sunny in ${city}`,
    parse: JSON.parse,
  },
};

const user = (content) => ({ role: "user", content });

async function chat() {
  const answer = await client.chat.completions.create({ model: MODEL, messages: [user(CHAT)] });
  return answer.choices[0].message.content;
}

async function stream() {
  const pieces = [];
  const chunks = await client.chat.completions.create({ model: MODEL, messages: [user(STREAM)], stream: true });
  for await (const chunk of chunks) {
    if (chunk.choices[0]?.delta.content) pieces.push(chunk.choices[0].delta.content);
  }
  return pieces;
}

async function turns() {
  const messages = [
    { role: "system", content: BRIEF }, user(NAME), { role: "assistant", content: GREETING }, user(ASKED),
  ];
  const answer = await client.chat.completions.create({ model: MODEL, messages });
  return [answer.choices[0].message.content, answer.usage.prompt_tokens];
}

function tools() {
  const runner = client.chat.completions.runTools({ model: MODEL, messages: [user(TOOLS)], tools: [weather] });
  return runner.finalContent();
}

function streamed_tools() {
  const messages = [user(TOOLS)];
  return client.chat.completions.runTools({ model: MODEL, messages, tools: [weather], stream: true }).finalContent();
}

async function structured() {
  const City = z.object({ name: z.string(), population: z.number().int() });
  const messages = [user(STRUCTURED)];
  const response_format = zodResponseFormat(City, "city");
  const answer = await client.chat.completions.parse({ model: MODEL, messages, response_format });
  return answer.choices[0].message.parsed;
}

async function image() {
  const part = { type: "image_url", image_url: { url: `data:image/png;base64,${PIXEL}` } };
  const answer = await client.chat.completions.create({ model: MODEL, messages: [user([part])] });
  return answer.choices[0].message.content;
}

async function error() {
  try {
    await client.chat.completions.create({ model: MODEL, messages: [user(ERROR)] });
  } catch (raised) {
    if (raised instanceof OpenAI.RateLimitError) return raised.status;
    throw raised;
  }
}

async function broken() {
  try {
    for await (const _ of await client.chat.completions.create({
      model: MODEL, messages: [user(BROKEN)], stream: true,
    }));
  } catch (raised) {
    if (raised instanceof OpenAI.APIError) return "an error";
    throw raised;
  }
}

await tell(chat, stream, turns, tools, streamed_tools, structured, image, error, broken);
