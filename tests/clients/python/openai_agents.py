"""openai-agents, by responses, its default, or by chat completions, as the first argument says."""

import sys

import openai
from agents import (
    Agent,
    ModelBehaviorError,
    Runner,
    function_tool,
    set_default_openai_api,
    set_default_openai_client,
    set_tracing_disabled,
)
from pydantic import BaseModel
from tell import ASKED, BRIEF, BROKEN, CHAT, ERROR, GREETING, MODEL, NAME, PIXEL, STREAM, STRUCTURED, TOOLS, tell

set_tracing_disabled(disabled=True)
set_default_openai_client(openai.AsyncOpenAI(max_retries=0))
set_default_openai_api({"chat": "chat_completions", "responses": "responses"}[sys.argv[1]])


class City(BaseModel):
    name: str
    population: int


@function_tool
def get_weather(city: str) -> str:
    """Say how the weather is in a city."""
    return f"sunny in {city}"


def agent(**more):
    return Agent(name="Assistant", model=MODEL, **more)


async def chat():
    return (await Runner.run(agent(), CHAT)).final_output


async def _pieces(asked, **more):
    result = Runner.run_streamed(agent(**more), asked)
    pieces = [
        event.data.delta
        async for event in result.stream_events()
        if event.type == "raw_response_event" and event.data.type == "response.output_text.delta"
    ]
    return pieces, result.final_output


async def stream():
    return (await _pieces(STREAM))[0]


async def turns():
    said = [
        {"role": "user", "content": NAME},
        {"role": "assistant", "content": GREETING},
        {"role": "user", "content": ASKED},
    ]
    result = await Runner.run(agent(instructions=BRIEF), said)
    return [result.final_output, result.context_wrapper.usage.input_tokens]


async def tools():
    return (await Runner.run(agent(tools=[get_weather]), TOOLS)).final_output


async def streamed_tools():
    return (await _pieces(TOOLS, tools=[get_weather]))[1]


async def structured():
    return (await Runner.run(agent(output_type=City), STRUCTURED)).final_output.model_dump()


async def image():
    part = {"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}", "detail": "auto"}
    return (await Runner.run(agent(), [{"role": "user", "content": [part]}])).final_output


async def error():
    try:
        await Runner.run(agent(), ERROR)
    except openai.RateLimitError as raised:
        return raised.status_code


async def broken():
    try:
        await _pieces(BROKEN)
    except (openai.APIError, ModelBehaviorError):
        return "an error"


tell(chat, stream, turns, tools, streamed_tools, structured, image, error, broken)
