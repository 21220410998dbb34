// @anthropic-ai/sdk, by messages.

import Anthropic from "@anthropic-ai/sdk";
import { betaZodTool } from "@anthropic-ai/sdk/helpers/beta/zod";
import { zodOutputFormat } from "@anthropic-ai/sdk/helpers/zod";
import { z } from "zod";
import {
  ASKED, BRIEF, BROKEN, CHAT, CLAUDE, ERROR, GREETING, NAME, PIXEL, STREAM, STRUCTURED, THINKING, TOOLS, again, tell,
} from "./tell.mjs";

const client = new Anthropic({ maxRetries: 0 });
const plain = { model: CLAUDE, max_tokens: 2000 };

const user = (content) => ({ role: "user", content });
const ask = (content, more) => client.messages.create({ ...plain, messages: [user(content)], ...more });

const get_weather = betaZodTool({
  name: "get_weather",
  description: "Say how the weather is in a city",
  inputSchema: z.object({ city: z.string() }),
  run: ({ city }) => `sunny in ${city}`,
});

const ask_again = betaZodTool({
  name: "ask_again",
  description: "Say how often is still to be asked",
  inputSchema: z.object({ times: z.number().int() }),
  run: ({ times }) => (times ? again(times - 1) : "enough"),
});

async function chat() {
  return (await ask(CHAT)).content[0].text;
}

async function stream() {
  const pieces = [];
  for await (const event of client.messages.stream({ ...plain, messages: [user(STREAM)] })) {
    if (event.type === "content_block_delta") pieces.push(event.delta.text);
  }
  return pieces;
}

async function turns() {
  const messages = [user(NAME), { role: "assistant", content: GREETING }, user(ASKED)];
  const answer = await client.messages.create({ ...plain, system: BRIEF, messages });
  return [answer.content[0].text, answer.usage.input_tokens];
}

// It asks in a thread, hears that there are none, and goes on with the whole history.
const run = (tool, text, more) =>
  client.beta.messages.toolRunner({ ...plain, messages: [user(text)], tools: [tool], ...more });

async function tools() {
  return (await run(get_weather, TOOLS).runUntilDone()).content[0].text;
}

async function three_steps() {
  const messages = [];
  for await (const message of run(ask_again, again(2))) messages.push(message);
  return [messages.length, messages.at(-1).content[0].text];
}

async function streamed_tools() {
  let answer;
  for await (const events of run(get_weather, TOOLS, { stream: true })) answer = await events.finalMessage();
  return answer.content[0].text;
}

async function structured() {
  const City = z.object({ name: z.string(), population: z.number().int() });
  const output_config = { format: zodOutputFormat(City) };
  return (await client.messages.parse({ ...plain, messages: [user(STRUCTURED)], output_config })).parsed_output;
}

async function thinking() {
  const asked = { ...plain, messages: [user(THINKING)], thinking: { type: "adaptive" } };
  const [thought, said] = (await client.messages.stream(asked).finalMessage()).content;
  return [thought.thinking, thought.signature !== "", said.text];
}

async function image() {
  return (await ask([{ type: "image", source: { type: "base64", media_type: "image/png", data: PIXEL } }])).content[0].text;
}

async function counted() {
  const count = async (text) =>
    (await client.messages.countTokens({ model: CLAUDE, messages: [user(text)] })).input_tokens;
  const [few, many] = [await count("hi"), await count("hi ".repeat(500))];
  return 0 < few && few < many;
}

async function models() {
  const listed = [];
  for await (const model of client.models.list()) listed.push(model.id);
  for (const name of listed) if (!listed.includes((await client.models.retrieve(name)).id)) return name;
  return listed.length > 0;
}

async function error() {
  try {
    await ask(ERROR);
  } catch (raised) {
    if (raised instanceof Anthropic.RateLimitError) return raised.status;
    throw raised;
  }
}

async function error_after_pings() {
  try {
    await client.messages.stream({ ...plain, messages: [user(ERROR)] }).finalMessage();
  } catch (raised) {
    if (raised instanceof Anthropic.APIError) return raised.type;
    throw raised;
  }
}

async function unauthorized() {
  try {
    await new Anthropic({ apiKey: "sk-wrong" }).messages.create({ ...plain, messages: [user(CHAT)] });
  } catch (raised) {
    if (raised instanceof Anthropic.AuthenticationError) return [raised.type, raised.requestID === raised.error.request_id];
    throw raised;
  }
}

async function broken() {
  try {
    await client.messages.stream({ ...plain, messages: [user(BROKEN)] }).finalMessage();
  } catch (raised) {
    if (raised instanceof Anthropic.APIError) return raised.type === "api_error" ? "an error" : raised.type;
    throw raised;
  }
}

await tell(
  chat, stream, turns, tools, three_steps, streamed_tools, structured, thinking, image, counted, models, error,
  error_after_pings, unauthorized, broken,
);
