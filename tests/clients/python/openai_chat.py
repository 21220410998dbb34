"""openai-python, by chat completions."""

import json

import openai
from pydantic import BaseModel
from tell import ASKED, BRIEF, BROKEN, CHAT, ERROR, GREETING, MODEL, NAME, PIXEL, STREAM, STRUCTURED, TOOLS, tell

client = openai.OpenAI(max_retries=0)

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Say how the weather is in a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
        "strict": True,
    },
}


class City(BaseModel):
    name: str
    population: int


def user(content):
    return {"role": "user", "content": content}


def chat():
    answer = client.chat.completions.create(model=MODEL, messages=[user(CHAT)])
    return answer.choices[0].message.content


def stream():
    chunks = client.chat.completions.create(model=MODEL, messages=[user(STREAM)], stream=True)
    return [chunk.choices[0].delta.content for chunk in chunks if chunk.choices[0].delta.content]


def turns():
    messages = [
        {"role": "system", "content": BRIEF},
        user(NAME),
        {"role": "assistant", "content": GREETING},
        user(ASKED),
    ]
    answer = client.chat.completions.create(model=MODEL, messages=messages)
    return [answer.choices[0].message.content, answer.usage.prompt_tokens]


def tools():
    messages = [user(TOOLS)]
    answer = client.chat.completions.create(model=MODEL, messages=messages, tools=[WEATHER])
    [call] = answer.choices[0].message.tool_calls
    city = json.loads(call.function.arguments)["city"]
    messages += [
        answer.choices[0].message,
        {"role": "tool", "tool_call_id": call.id, "content": f"sunny in {city}"},
    ]
    return client.chat.completions.create(model=MODEL, messages=messages, tools=[WEATHER]).choices[0].message.content


def streamed_tools():
    messages = [user(TOOLS)]
    with client.chat.completions.stream(model=MODEL, messages=messages, tools=[WEATHER]) as events:
        answer = events.get_final_completion()
    [call] = answer.choices[0].message.tool_calls
    messages += [
        answer.choices[0].message,
        {"role": "tool", "tool_call_id": call.id, "content": f"sunny in {call.function.parsed_arguments['city']}"},
    ]
    with client.chat.completions.stream(model=MODEL, messages=messages, tools=[WEATHER]) as events:
        return events.get_final_completion().choices[0].message.content


def structured():
    answer = client.chat.completions.parse(model=MODEL, messages=[user(STRUCTURED)], response_format=City)
    return answer.choices[0].message.parsed.model_dump()


def image():
    part = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
    return client.chat.completions.create(model=MODEL, messages=[user([part])]).choices[0].message.content


def error():
    try:
        client.chat.completions.create(model=MODEL, messages=[user(ERROR)])
    except openai.RateLimitError as raised:
        return raised.status_code


def broken():
    try:
        list(client.chat.completions.create(model=MODEL, messages=[user(BROKEN)], stream=True))
    except openai.APIError:
        return "an error"


tell(chat, stream, turns, tools, streamed_tools, structured, image, error, broken)
