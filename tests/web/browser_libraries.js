// What OpenAI's and Anthropic's own libraries get from cca in a page: whole, streamed, refused.
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";

const [cca, apiKey] = JSON.parse(document.querySelector("#asked").textContent);
const options = { apiKey, dangerouslyAllowBrowser: true, maxRetries: 0 };
const openai = new OpenAI({ baseURL: `${cca}/v1`, ...options });
const anthropic = new Anthropic({ baseURL: cca, ...options });
const asked = { model: "sonnet", max_tokens: 9, messages: [{ role: "user", content: "Hi" }] };

const tries = {
  "openai": async () => {
    const answer = await openai.chat.completions.create(asked);
    return { text: answer.choices[0].message.content, id: answer._request_id };
  },
  "openai, streamed": async () => {
    let text = "";
    for await (const chunk of await openai.chat.completions.create({ ...asked, stream: true })) {
      text += chunk.choices[0]?.delta?.content ?? "";
    }
    return { text };
  },
  "openai, refused": () => openai.models.retrieve("no such model"),
  "anthropic": async () => {
    const answer = await anthropic.messages.create(asked);
    return { text: answer.content[0].text, id: answer._request_id };
  },
  "anthropic, streamed": async () => ({ text: await anthropic.messages.stream(asked).finalText() }),
  "anthropic, refused": () => anthropic.messages.create({ ...asked, max_tokens: 0 }),
};

const told = {};
for (const [name, attempt] of Object.entries(tries)) {
  told[name] = await attempt().catch((fault) => ({ type: String(fault), status: fault.status, id: fault.requestID }));
}
await fetch(document.querySelector("#told").textContent, { method: "POST", mode: "no-cors", body: JSON.stringify(told) });
