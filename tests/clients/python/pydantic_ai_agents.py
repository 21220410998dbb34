"""pydantic-ai, by chat completions, by responses or by messages, as the first argument says."""

import sys

import anthropic
import openai
from pydantic import BaseModel
from pydantic_ai import Agent, BinaryContent, ModelHTTPError, ModelRequest, ModelResponse, TextPart
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider
from tell import (
    ASKED,
    BRIEF,
    BROKEN,
    CHAT,
    CLAUDE,
    ERROR,
    GREETING,
    MODEL,
    NAME,
    PIXEL,
    STREAM,
    STRUCTURED,
    TOOLS,
    tell,
)

if sys.argv[1] == "messages":
    model = AnthropicModel(CLAUDE, provider=AnthropicProvider(anthropic_client=anthropic.AsyncAnthropic(max_retries=0)))
else:
    kind = {"chat": OpenAIChatModel, "responses": OpenAIResponsesModel}[sys.argv[1]]
    model = kind(MODEL, provider=OpenAIProvider(openai_client=openai.AsyncOpenAI(max_retries=0)))


class City(BaseModel):
    name: str
    population: int


def get_weather(city: str) -> str:
    """Say how the weather is in a city."""
    return f"sunny in {city}"


def chat():
    return Agent(model).run_sync(CHAT).output


def stream():
    return list(Agent(model).run_stream_sync(STREAM).stream_text(delta=True, debounce_by=None))


def turns():
    history = [ModelRequest.user_text_prompt(NAME), ModelResponse(parts=[TextPart(GREETING)])]
    result = Agent(model, instructions=BRIEF).run_sync(ASKED, message_history=history)
    return [result.output, result.usage.input_tokens]


def tools():
    return Agent(model, tools=[get_weather]).run_sync(TOOLS).output


def streamed_tools():
    return Agent(model, tools=[get_weather]).run_stream_sync(TOOLS).get_output()


def structured():
    return Agent(model, output_type=City).run_sync(STRUCTURED).output.model_dump()


def image():
    return Agent(model).run_sync([BinaryContent.from_data_uri(f"data:image/png;base64,{PIXEL}")]).output


def error():
    try:
        Agent(model).run_sync(ERROR)
    except ModelHTTPError as raised:
        return raised.status_code


def broken():
    try:
        list(Agent(model).run_stream_sync(BROKEN).stream_text(delta=True))
    except (ModelHTTPError, openai.APIError, anthropic.APIError):
        return "an error"


tell(chat, stream, turns, tools, streamed_tools, structured, image, error, broken)
