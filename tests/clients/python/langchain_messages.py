"""langchain-anthropic."""

import anthropic
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langchain_core.tools import tool
from pydantic import BaseModel
from tell import ASKED, BRIEF, BROKEN, CHAT, CLAUDE, ERROR, GREETING, NAME, PIXEL, STREAM, STRUCTURED, TOOLS, tell

model = ChatAnthropic(model=CLAUDE, max_retries=0)


class City(BaseModel):
    name: str
    population: int


@tool
def get_weather(city: str) -> str:
    """Say how the weather is in a city."""
    return f"sunny in {city}"


def chat():
    return model.invoke(CHAT).text


def stream():
    return [chunk.text for chunk in model.stream(STREAM) if chunk.text]


def turns():
    answer = model.invoke([SystemMessage(BRIEF), HumanMessage(NAME), AIMessage(GREETING), HumanMessage(ASKED)])
    return [answer.text, answer.usage_metadata["input_tokens"]]


def tools():
    able = model.bind_tools([get_weather])
    said = [HumanMessage(TOOLS)]
    answer = able.invoke(said)
    said += [answer, *[get_weather.invoke(call) for call in answer.tool_calls]]
    return able.invoke(said).text


def streamed_tools():
    able = model.bind_tools([get_weather])
    said = [HumanMessage(TOOLS)]
    answer = _gathered(able.stream(said))
    said += [answer, *[get_weather.invoke(call) for call in answer.tool_calls]]
    return _gathered(able.stream(said)).text


def _gathered(chunks):
    whole = next(chunks)
    for chunk in chunks:
        whole += chunk
    return whole


def structured():
    return model.with_structured_output(City, method="json_schema").invoke(STRUCTURED).model_dump()


def by_tool():
    return model.with_structured_output(City, method="function_calling").invoke(STRUCTURED).model_dump()


def image():
    part = {"type": "image", "base64": PIXEL, "mime_type": "image/png"}
    return model.invoke([HumanMessage([part])]).text


def counted():
    few, many = (model.get_num_tokens_from_messages([HumanMessage(text)]) for text in ("hi", "hi " * 500))
    return 0 < few < many


def error():
    try:
        model.invoke(ERROR)
    except anthropic.RateLimitError as raised:
        return raised.status_code


def broken():
    try:
        list(model.stream(BROKEN))
    except anthropic.APIError:
        return "an error"


tell(chat, stream, turns, tools, streamed_tools, structured, by_tool, image, counted, error, broken)
