"""anthropic-python, by messages."""

import anthropic
from pydantic import BaseModel
from tell import (
    AGAIN,
    ASKED,
    BRIEF,
    BROKEN,
    CHAT,
    CLAUDE,
    ERROR,
    GREETING,
    NAME,
    PIXEL,
    STREAM,
    STRUCTURED,
    THINKING,
    TOOLS,
    tell,
)

client = anthropic.Anthropic(max_retries=0)
PLAIN = {"model": CLAUDE, "max_tokens": 2000}


class City(BaseModel):
    name: str
    population: int


def user(content):
    return {"role": "user", "content": content}


def ask(content, **more):
    return client.messages.create(**PLAIN, messages=[user(content)], **more)


def chat():
    return ask(CHAT).content[0].text


async def asynchronous():
    async with anthropic.AsyncAnthropic(max_retries=0) as concurrent:
        answer = await concurrent.messages.create(**PLAIN, messages=[user(CHAT)])
    return answer.content[0].text


def stream():
    with client.messages.stream(**PLAIN, messages=[user(STREAM)]) as events:
        return list(events.text_stream)


def pings():
    """Read a stream by its lines: who reads its events sees none."""
    asked = {**PLAIN, "messages": [user(STREAM)], "stream": True}
    with client.messages.with_streaming_response.create(**asked) as answer:
        kinds = [line.removeprefix("event: ") for line in answer.iter_lines() if line.startswith("event: ")]
    begun = kinds.index("message_start")
    return ["ping" in kinds[:begun], "ping" in kinds[begun:]]


def turns():
    messages = [user(NAME), {"role": "assistant", "content": GREETING}, user(ASKED)]
    answer = client.messages.create(**PLAIN, system=BRIEF, messages=messages)
    return [answer.content[0].text, answer.usage.input_tokens]


@anthropic.beta_tool
def get_weather(city: str) -> str:
    """Say how the weather is in a city."""
    return f"sunny in {city}"


@anthropic.beta_tool
def ask_again(times: int) -> str:
    """Say how often is still to be asked."""
    return AGAIN % (times - 1) if times else "enough"


def tools():
    """Ask in a thread, hear that there are none, and go on with the whole history."""
    return run([get_weather], TOOLS).until_done().content[0].text


def three_steps():
    messages = list(run([ask_again], AGAIN % 2))
    return [len(messages), messages[-1].content[0].text]


def streamed_tools():
    for events in run([get_weather], TOOLS, stream=True):
        answer = events.get_final_message()
    return answer.content[0].text


def run(able, text, **more):
    return client.beta.messages.tool_runner(**PLAIN, messages=[user(text)], tools=able, **more)


def structured():
    answer = client.messages.parse(**PLAIN, messages=[user(STRUCTURED)], output_format=City)
    return answer.parsed_output.model_dump()


def thinking():
    with client.messages.stream(**PLAIN, messages=[user(THINKING)], thinking={"type": "adaptive"}) as events:
        thought, said = events.get_final_message().content
    return [thought.thinking, bool(thought.signature), said.text]


def thinking_is_told_back():
    asked = {**PLAIN, "thinking": {"type": "adaptive"}}
    messages = [user(THINKING)]
    answer = client.messages.create(**asked, messages=messages)
    messages += [{"role": "assistant", "content": answer.content}, user(CHAT)]
    answer = client.messages.create(**asked, messages=messages)
    return [answer.content[-1].text, answer.usage.input_tokens]


def image():
    return (
        ask([{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}]).content[0].text
    )


def document():
    source = {"type": "text", "media_type": "text/plain", "data": "Paris is a city."}
    return ask([{"type": "document", "title": "Paris", "source": source}]).content[0].text


def cache():
    system = [{"type": "text", "text": BRIEF, "cache_control": {"type": "ephemeral"}}]
    content = [{"type": "text", "text": "[[cached 7 created 5]] hello", "cache_control": {"type": "ephemeral"}}]
    usage = ask(content, system=system).usage
    return [usage.cache_read_input_tokens, usage.cache_creation_input_tokens]


def stop_sequence():
    answer = ask(STREAM, stop_sequences=[" 4"])
    return [answer.stop_reason, answer.stop_sequence, answer.content[0].text]


def max_tokens():
    answer = client.messages.create(model=CLAUDE, max_tokens=3, messages=[user(STREAM)])
    return [answer.stop_reason, answer.usage.output_tokens]


def counted():
    few, many = (
        client.messages.count_tokens(model=CLAUDE, messages=[user(text)]).input_tokens for text in ("hi", "hi " * 500)
    )
    return 0 < few < many


def models():
    listed = [model.id for model in client.models.list()]
    return all(client.models.retrieve(name).id in listed for name in listed)


def error():
    try:
        ask(ERROR)
    except anthropic.RateLimitError as raised:
        return raised.status_code


def error_after_pings():
    try:
        with client.messages.stream(**PLAIN, messages=[user(ERROR)]) as events:
            events.until_done()
    except anthropic.APIStatusError as raised:
        return raised.type


def broken():
    try:
        with client.messages.stream(**PLAIN, messages=[user(BROKEN)]) as events:
            events.until_done()
    except anthropic.APIStatusError as raised:
        return "an error" if raised.type == "api_error" else raised.type


tell(
    chat,
    asynchronous,
    stream,
    pings,
    turns,
    tools,
    three_steps,
    streamed_tools,
    structured,
    thinking,
    thinking_is_told_back,
    image,
    document,
    cache,
    stop_sequence,
    max_tokens,
    counted,
    models,
    error,
    error_after_pings,
    broken,
)
