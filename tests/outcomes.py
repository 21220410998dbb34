"""How a request ended, as its client can tell from the bytes alone, held against the form of the dialect that it asked.

An answer has one end: the dialect's own, or its error, or the client was cut off. Anything else is an assertion.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, TypeAlias

from attrs import frozen

End: TypeAlias = Literal["answered", "failed", "cut"]

DONE = "[DONE]"


@frozen
class Outcome:
    """``text`` is what came of an answer before its end; ``status`` is that of the response."""

    end: End
    text: str = ""
    status: int = 200


@frozen
class Way:
    """A dialect, as a client asks it and reads it. ``whole`` reads a body, ``streamed`` the events of a stream."""

    path: str
    ask: Callable[[str], dict[str, Any]]
    whole: Callable[[Any], str]
    streamed: Callable[[Sequence[Any]], Outcome]

    def body(self, prompt: str, *, stream: bool) -> dict[str, Any]:
        return {"model": "sonnet", "stream": stream, **self.ask(prompt)}

    def outcome(self, status: int, body: bytes, *, stream: bool) -> Outcome:
        """Return how a response ended; a stream that breaks off was ``cut``."""
        if status != 200:
            error = json.loads(body)["error"]
            assert isinstance(error["message"], str)
            assert error["message"]
            return Outcome("failed", status=status)
        return self.streamed(list(events(body))) if stream else Outcome("answered", self.whole(json.loads(body)))


def events(body: bytes) -> Iterator[Any]:
    """Yield what the whole events of a stream have: JSON, or the word that ends it. One that was cut short is none."""
    for block in body.decode("utf-8", "replace").split("\n\n")[:-1]:
        if not block.startswith(":"):
            name, _, said = block.rpartition("\n")
            assert said.startswith("data: ")
            content: Any = DONE if said == f"data: {DONE}" else json.loads(said.removeprefix("data: "))
            assert name == "" or name == f"event: {content['type']}"
            yield content


def _chunks(told: Sequence[Any], text: Callable[[Any], str]) -> Outcome:
    """Read a stream of OpenAI's older APIs: a reason for its end and ``[DONE]``, or an error and neither."""
    *before, last = told or [None]
    said = "".join(text(each["choices"][0]) for each in told if each != DONE and each.get("choices"))
    reasons = [
        each["choices"][0]["finish_reason"]
        for each in told
        if each != DONE and each.get("choices") and each["choices"][0]["finish_reason"]
    ]
    assert DONE not in before
    assert not any("error" in each for each in before)
    if last == DONE:
        assert len(reasons) == 1
        return Outcome("answered", said)
    assert len(reasons) <= 1
    if last is not None and "error" in last:
        assert not reasons, "a failure is no end that the model made"
        return Outcome("failed", said)
    return Outcome("cut", said)


def _response(told: Sequence[Any]) -> Outcome:
    """Read a stream of responses: numbers without a gap, and one last state before ``[DONE]``."""
    assert DONE not in told[:-1]
    states = [each for each in told if each != DONE]
    assert [each["sequence_number"] for each in states] == list(range(len(states)))
    said = "".join(each["delta"] for each in states if each["type"] == "response.output_text.delta")
    ends = ("response.completed", "response.incomplete", "response.failed")
    over = [each for each in states if each["type"] in ends]
    if not over:
        assert told[-1:] != [DONE]
        return Outcome("cut", said)
    assert over == states[-1:]
    failed = over[0]["type"] == "response.failed"
    assert (over[0]["response"]["error"] is not None) is failed
    return Outcome("failed" if failed else "answered", said)


def _message(told: Sequence[Any]) -> Outcome:
    """Read a stream of messages: blocks one after the other, then a stop or an error."""
    said, opened, stops = "", 0, 0
    for number, each in enumerate(told):
        match each["type"]:
            case "content_block_start":
                assert each["index"] == opened
                opened += 1
            case "content_block_delta":
                assert each["index"] == opened - 1
                said += each["delta"].get("text", "")
            case "message_delta":
                stops += 1
                assert each["delta"]["stop_reason"]
            case "message_stop" | "error":
                assert number == len(told) - 1
            case _:
                pass
    last = told[-1]["type"] if told else None
    assert (last == "message_stop") <= (stops == 1)
    assert not (last == "error" and stops), "a failure is no end that the model made"
    ends: Mapping[str | None, End] = {"message_stop": "answered", "error": "failed"}
    return Outcome(ends.get(last, "cut"), said)


def _said_in_blocks(body: Any) -> str:
    assert body["stop_reason"]
    return "".join(block["text"] for block in body["content"] if block["type"] == "text")


def _said_in_response(body: Any) -> str:
    assert body["status"] in ("completed", "incomplete")
    items = [item for item in body["output"] if item["type"] == "message"]
    return "".join(part["text"] for item in items for part in item["content"])


def _said_in_choice(body: Any, text: Callable[[Any], str]) -> str:
    [choice] = body["choices"]
    assert choice["finish_reason"]
    return text(choice)


def _turns(prompt: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": prompt}]


WAYS: Mapping[str, Way] = {
    "chat": Way(
        "/v1/chat/completions",
        lambda prompt: {"messages": _turns(prompt)},
        lambda body: _said_in_choice(body, lambda choice: choice["message"]["content"] or ""),
        lambda told: _chunks(told, lambda choice: choice["delta"].get("content") or ""),
    ),
    "completions": Way(
        "/v1/completions",
        lambda prompt: {"prompt": prompt, "max_tokens": 100},
        lambda body: _said_in_choice(body, lambda choice: str(choice["text"])),
        lambda told: _chunks(told, lambda choice: str(choice["text"])),
    ),
    "responses": Way("/v1/responses", lambda prompt: {"input": prompt, "store": False}, _said_in_response, _response),
    "messages": Way(
        "/v1/messages",
        lambda prompt: {"messages": _turns(prompt), "max_tokens": 100},
        _said_in_blocks,
        _message,
    ),
}
"""Each dialect by a short name."""
