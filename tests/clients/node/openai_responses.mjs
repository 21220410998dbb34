// openai-node, by responses.

import OpenAI from "openai";
import { zodTextFormat } from "openai/helpers/zod";
import { z } from "zod";
import {
  ASKED, BRIEF, BROKEN, CHAT, ERROR, GREETING, MODEL, NAME, PIXEL, STREAM, STRUCTURED, TOOLS, tell,
} from "./tell.mjs";

const client = new OpenAI({ maxRetries: 0 });

const weather = {
  type: "function",
  name: "get_weather",
  description: "Say how the weather is in a city",
  parameters: {
    type: "object", properties: { city: { type: "string" } }, required: ["city"], additionalProperties: false,
  },
  strict: true,
};

async function chat() {
  return (await client.responses.create({ model: MODEL, input: CHAT })).output_text;
}

async function stream() {
  const pieces = [];
  for await (const event of await client.responses.create({ model: MODEL, input: STREAM, stream: true })) {
    if (event.type === "response.output_text.delta") pieces.push(event.delta);
  }
  return pieces;
}

async function turns() {
  const input = [
    { role: "user", content: NAME }, { role: "assistant", content: GREETING }, { role: "user", content: ASKED },
  ];
  const answer = await client.responses.create({ model: MODEL, instructions: BRIEF, input });
  return [answer.output_text, answer.usage.input_tokens];
}

async function told(answer) {
  const [call] = answer.output.filter((item) => item.type === "function_call");
  const output = `sunny in ${JSON.parse(call.arguments).city}`;
  const input = [{ type: "function_call_output", call_id: call.call_id, output }];
  const next = { model: MODEL, input, tools: [weather], previous_response_id: answer.id };
  return (await client.responses.create(next)).output_text;
}

async function tools() {
  return told(await client.responses.create({ model: MODEL, input: TOOLS, tools: [weather] }));
}

async function streamed_tools() {
  return told(await client.responses.stream({ model: MODEL, input: TOOLS, tools: [weather] }).finalResponse());
}

async function structured() {
  const City = z.object({ name: z.string(), population: z.number().int() });
  const text = { format: zodTextFormat(City, "city") };
  return (await client.responses.parse({ model: MODEL, input: STRUCTURED, text })).output_parsed;
}

async function image() {
  const part = { type: "input_image", image_url: `data:image/png;base64,${PIXEL}`, detail: "auto" };
  return (await client.responses.create({ model: MODEL, input: [{ role: "user", content: [part] }] })).output_text;
}

async function error() {
  try {
    await client.responses.create({ model: MODEL, input: ERROR });
  } catch (raised) {
    if (raised instanceof OpenAI.RateLimitError) return raised.status;
    throw raised;
  }
}

async function broken() {
  let last;
  for await (const event of await client.responses.create({ model: MODEL, input: BROKEN, stream: true })) last = event;
  return ["response.failed", "error"].includes(last.type) ? "an error" : last.type;
}

await tell(chat, stream, turns, tools, streamed_tools, structured, image, error, broken);
