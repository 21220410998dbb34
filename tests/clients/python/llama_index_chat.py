"""LlamaIndex, by the class for servers that speak as OpenAI's does."""

import os

import openai
from llama_index.core.llms import ChatMessage, ImageBlock, TextBlock
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai_like import OpenAILike
from pydantic import BaseModel
from tell import ASKED, BRIEF, BROKEN, CHAT, ERROR, GREETING, MODEL, NAME, PIXEL, STREAM, STRUCTURED, TOOLS, tell

llm = OpenAILike(
    model=MODEL,
    api_base=os.environ["OPENAI_BASE_URL"],
    api_key=os.environ["OPENAI_API_KEY"],
    is_chat_model=True,
    is_function_calling_model=True,
    max_retries=0,
)


class City(BaseModel):
    name: str
    population: int


def get_weather(city: str) -> str:
    """Say how the weather is in a city."""
    return f"sunny in {city}"


def chat():
    return llm.chat([ChatMessage(role="user", content=CHAT)]).message.content


def stream():
    chunks = llm.stream_chat([ChatMessage(role="user", content=STREAM)])
    return [chunk.delta for chunk in chunks if chunk.delta]


def turns():
    said = [("system", BRIEF), ("user", NAME), ("assistant", GREETING), ("user", ASKED)]
    answer = llm.chat([ChatMessage(role=role, content=content) for role, content in said])
    return [answer.message.content, answer.raw.usage.prompt_tokens]


def tools():
    weather = FunctionTool.from_defaults(get_weather)
    said = [ChatMessage(role="user", content=TOOLS)]
    answer = llm.chat_with_tools([weather], chat_history=said)
    said.append(answer.message)
    for call in llm.get_tool_calls_from_response(answer):
        result = str(weather(**call.tool_kwargs))
        said.append(ChatMessage(role="tool", content=result, additional_kwargs={"tool_call_id": call.tool_id}))
    return llm.chat_with_tools([weather], chat_history=said).message.content


def structured():
    return llm.as_structured_llm(City).chat([ChatMessage(role="user", content=STRUCTURED)]).raw.model_dump()


def image():
    block = ImageBlock(image=PIXEL.encode(), image_mimetype="image/png")
    return llm.chat([ChatMessage(role="user", blocks=[block])]).message.content


def error():
    try:
        llm.chat([ChatMessage(role="user", blocks=[TextBlock(text=ERROR)])])
    except openai.RateLimitError as raised:
        return raised.status_code


def broken():
    try:
        list(llm.stream_chat([ChatMessage(role="user", content=BROKEN)]))
    except openai.APIError:
        return "an error"


tell(chat, stream, turns, tools, structured, image, error, broken)
