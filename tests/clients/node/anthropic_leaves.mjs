// @anthropic-ai/sdk, by one that leaves. The cca that it asks has one process, which the next question needs.

import Anthropic from "@anthropic-ai/sdk";
import { CHAT, CLAUDE, tell } from "./tell.mjs";

const LONG = "[[delay 1s]] [[tokens 500]]";
const SLOW = "[[wait 300s]] hello";

const client = new Anthropic({ maxRetries: 0, timeout: 45_000 });

const asked = (text) => ({ model: CLAUDE, max_tokens: 2000, messages: [{ role: "user", content: text }] });
const chat = async () => (await client.messages.create(asked(CHAT))).content[0].text;

async function leaves() {
  for await (const event of client.messages.stream(asked(LONG))) if (event.type === "content_block_delta") break;
  return await chat();
}

async function leaves_while_it_pings() {
  (await client.messages.create({ ...asked(SLOW), stream: true })).controller.abort();
  return await chat();
}

async function gives_up() {
  try {
    await client.messages.create(asked(SLOW), { timeout: 2000 });
  } catch (raised) {
    if (raised instanceof Anthropic.APIConnectionTimeoutError) return await chat();
    throw raised;
  }
}

await tell(leaves, leaves_while_it_pings, gives_up);
