"""LiteLLM, by its completion function, to the model that the first argument says."""

import json
import sys

import litellm
import openai
from pydantic import BaseModel
from tell import ASKED, BRIEF, BROKEN, CHAT, ERROR, GREETING, NAME, PIXEL, STREAM, STRUCTURED, TOOLS, tell

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Say how the weather is in a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


class City(BaseModel):
    name: str
    population: int


def completion(*messages, **more):
    return litellm.completion(model=sys.argv[1], messages=list(messages), max_retries=0, **more)


def user(content):
    return {"role": "user", "content": content}


def chat():
    return completion(user(CHAT)).choices[0].message.content


def stream():
    chunks = completion(user(STREAM), stream=True)
    return [chunk.choices[0].delta.content for chunk in chunks if chunk.choices[0].delta.content]


def turns():
    answer = completion(
        {"role": "system", "content": BRIEF}, user(NAME), {"role": "assistant", "content": GREETING}, user(ASKED)
    )
    return [answer.choices[0].message.content, answer.usage.prompt_tokens]


def tools():
    asked = completion(user(TOOLS), tools=[WEATHER]).choices[0].message
    return _told(asked)


def streamed_tools():
    chunks = list(completion(user(TOOLS), tools=[WEATHER], stream=True))
    return _told(litellm.stream_chunk_builder(chunks).choices[0].message)


def _told(asked):
    [call] = asked.tool_calls
    city = json.loads(call.function.arguments)["city"]
    result = {"role": "tool", "tool_call_id": call.id, "content": f"sunny in {city}"}
    return completion(user(TOOLS), asked, result, tools=[WEATHER]).choices[0].message.content


def structured():
    answer = completion(user(STRUCTURED), response_format=City)
    return json.loads(answer.choices[0].message.content)


def image():
    part = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
    return completion(user([part])).choices[0].message.content


def error():
    try:
        completion(user(ERROR))
    except litellm.RateLimitError as raised:
        return raised.status_code


def broken():
    try:
        list(completion(user(BROKEN), stream=True))
    except openai.APIError:  # those of LiteLLM are kinds of it
        return "an error"


tell(chat, stream, turns, tools, streamed_tools, structured, image, error, broken)
