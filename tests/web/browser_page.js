// What a page tries against cca, told to where the page is from: one line for each try, of what its script could see.
const [cca, key] = JSON.parse(document.querySelector("#asked").textContent);
const chat = JSON.stringify({ model: "sonnet", messages: [{ role: "user", content: "Hello" }] });
const json = { "content-type": "application/json" };
const keyed = { ...json, authorization: `Bearer ${key}`, "x-stainless-os": "Unknown" };
const path = `${cca}/v1/chat/completions`;

async function seen(answer) {
  const response = await answer;
  const id = response.headers.get("x-request-id");
  return { type: response.type, status: response.status, id, text: await response.text() };
}

function loaded(tag, attributes) {
  const element = Object.assign(document.createElement(tag), attributes);
  const end = new Promise((resolve) => {
    element.onload = () => resolve({ type: "loaded" });
    element.onerror = () => resolve({ type: "error" });
    setTimeout(() => resolve({ type: "silent" }), 3000);
  });
  document.body.append(element);
  return end;
}

function opened(stream) {
  return new Promise((resolve) => {
    stream.onopen = () => resolve({ type: "opened" });
    stream.onmessage = (event) => resolve({ type: "message", text: event.data });
    stream.onerror = () => resolve({ type: "error" });
  });
}

function submitted(type) {
  const frame = Object.assign(document.createElement("iframe"), { name: type });
  const form = Object.assign(document.createElement("form"), {
    action: path, method: "post", enctype: type, target: type,
  });
  form.append(Object.assign(document.createElement("input"), { name: chat.slice(0, -1) + ', "x":"', value: '"}' }));
  const end = new Promise((resolve) => {
    frame.onload = () => {
      try {
        resolve({ type: "frame", text: frame.contentDocument.body.textContent });
      } catch (fault) {
        resolve({ type: "closed" });
      }
    };
    setTimeout(() => resolve({ type: "silent" }), 3000);
  });
  document.body.append(frame, form);
  form.submit();
  return end;
}

const tries = {
  "get": () => seen(fetch(`${cca}/v1/models`)),
  "get, unread": () => seen(fetch(`${cca}/v1/models`, { mode: "no-cors" })),
  "get, with cookies": () => seen(fetch(`${cca}/v1/models`, { credentials: "include" })),
  "health": () => seen(fetch(`${cca}/health`)),
  "post": () => seen(fetch(path, { method: "POST", headers: json, body: chat })),
  "post, keyed": () => seen(fetch(path, { method: "POST", headers: keyed, body: chat })),
  "post, as text": () => seen(fetch(path, { method: "POST", mode: "no-cors", body: chat })),
  "post, as a form": () => submitted("text/plain"),
  "beacon": async () => ({ type: String(navigator.sendBeacon(path, chat)) }),
  "delete": () => seen(fetch(`${cca}/v1/sessions/s`, { method: "DELETE" })),
  "script": () => loaded("script", { src: `${cca}/v1/models` }),
  "image": () => loaded("img", { src: `${cca}/v1/models` }),
  "frame": () => loaded("iframe", { src: `${cca}/v1/models` }),
  "events": () => opened(new EventSource(`${cca}/v1/models`)),
  "socket": () => opened(new WebSocket(path.replace("http", "ws"))),
};

const told = {};
for (const [name, attempt] of Object.entries(tries)) {
  told[name] = await attempt().catch((fault) => ({ type: "refused", text: String(fault) }));
}
await fetch(document.querySelector("#told").textContent, { method: "POST", mode: "no-cors", body: JSON.stringify(told) });
