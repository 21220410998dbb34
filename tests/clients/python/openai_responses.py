"""openai-python, by responses. What was said is the server's to remember."""

import json

import openai
from pydantic import BaseModel
from tell import ASKED, BRIEF, BROKEN, CHAT, ERROR, GREETING, MODEL, NAME, PIXEL, STREAM, STRUCTURED, TOOLS, tell

client = openai.OpenAI(max_retries=0)

WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "Say how the weather is in a city",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
    "strict": True,
}


class City(BaseModel):
    name: str
    population: int


def chat():
    return client.responses.create(model=MODEL, input=CHAT).output_text


def stream():
    events = client.responses.create(model=MODEL, input=STREAM, stream=True)
    return [event.delta for event in events if event.type == "response.output_text.delta"]


def turns():
    said = [
        {"role": "user", "content": NAME},
        {"role": "assistant", "content": GREETING},
        {"role": "user", "content": ASKED},
    ]
    answer = client.responses.create(model=MODEL, instructions=BRIEF, input=said)
    return [answer.output_text, answer.usage.input_tokens]


def remembered():
    """Go on from a stored answer, whose text is ``GREETING``."""
    first = client.responses.create(model=MODEL, input=f"Reply with exactly: {GREETING}")
    second = client.responses.create(model=MODEL, input=ASKED, previous_response_id=first.id)
    return [second.output_text, second.usage.input_tokens - first.usage.input_tokens]


def tools():
    answer = client.responses.create(model=MODEL, input=TOOLS, tools=[WEATHER])
    [call] = [item for item in answer.output if item.type == "function_call"]
    city = json.loads(call.arguments)["city"]
    result = {"type": "function_call_output", "call_id": call.call_id, "output": f"sunny in {city}"}
    return client.responses.create(
        model=MODEL, input=[result], tools=[WEATHER], previous_response_id=answer.id
    ).output_text


def streamed_tools():
    said = [{"role": "user", "content": TOOLS}]
    with client.responses.stream(model=MODEL, input=said, tools=[WEATHER], store=False) as events:
        answer = events.get_final_response()
    [call] = [item for item in answer.output if item.type == "function_call"]
    city = call.parsed_arguments["city"] if call.parsed_arguments else json.loads(call.arguments)["city"]
    said += [
        {"type": "function_call", "call_id": call.call_id, "name": call.name, "arguments": call.arguments},
        {"type": "function_call_output", "call_id": call.call_id, "output": f"sunny in {city}"},
    ]
    with client.responses.stream(model=MODEL, input=said, tools=[WEATHER], store=False) as events:
        return events.get_final_response().output_text


def structured():
    return client.responses.parse(model=MODEL, input=STRUCTURED, text_format=City).output_parsed.model_dump()


def image():
    part = {"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}", "detail": "auto"}
    return client.responses.create(model=MODEL, input=[{"role": "user", "content": [part]}]).output_text


def error():
    try:
        client.responses.create(model=MODEL, input=ERROR)
    except openai.RateLimitError as raised:
        return raised.status_code


def broken():
    events = client.responses.create(model=MODEL, input=BROKEN, stream=True)
    *_, last = (event.type for event in events)
    return "an error" if last in {"response.failed", "error"} else last


tell(chat, stream, turns, remembered, tools, streamed_tools, structured, image, error, broken)
