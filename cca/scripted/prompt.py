"""What a request says: the last words of its user, and the conversation that they end.

The CLI adds ``<system-reminder>`` blocks, ``role: system`` messages, cache marks and a billing block of its
own. None of them was written by a client, and some vary between two runs, so nothing here sees them.
"""

import hashlib
import json
import re
from collections.abc import Iterator

from attrs import frozen

from cca.scripted.script import Json

_REMINDER = re.compile(r"\s*<system-reminder>.*?</system-reminder>\s*", re.DOTALL)
_CLI_SYSTEM = (
    "x-anthropic-billing-header",
    "You are a Claude agent, built on Anthropic's",
    "You are Claude Code",
)
_WORD = re.compile(r"\S+")


@frozen
class Result:
    """What a client's tool gave. ``name`` is empty when no call with its id stands in the conversation."""

    name: str
    text: str
    is_error: bool = False


@frozen
class Prompt:
    """The last user turn that says anything. ``attachments`` are the types of its other blocks."""

    text: str = ""
    results: tuple[Result, ...] = ()
    attachments: tuple[str, ...] = ()

    @property
    def everything(self) -> str:
        return "\n".join((self.text, *(result.text for result in self.results)))


def read_prompt(body: Json) -> Prompt:
    for message in reversed(body["messages"]):
        if message["role"] == "user":
            prompt = _turn(blocks_of(message), _call_names(body))
            if prompt != Prompt():
                return prompt
    return Prompt()


def blocks_of(message: Json) -> list[Json]:
    """List the content blocks of a message, without what the CLI put between them."""
    content = message["content"]
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    return [block for block in blocks if not _is_reminder(block)]


def _is_reminder(block: Json) -> bool:
    return block["type"] == "text" and _REMINDER.fullmatch(block["text"]) is not None


def _turn(blocks: list[Json], names: dict[str, str]) -> Prompt:
    texts = (block["text"] for block in blocks if block["type"] == "text")
    results = (
        Result(names.get(block["tool_use_id"], ""), _result_text(block), bool(block.get("is_error")))
        for block in blocks
        if block["type"] == "tool_result"
    )
    others = (block["type"] for block in blocks if block["type"] not in {"text", "tool_result"})
    return Prompt("\n".join(text for text in texts if text.strip()), tuple(results), tuple(others))


def _result_text(block: Json) -> str:
    content = block.get("content") or ""
    if isinstance(content, str):
        return content
    return "\n".join(part["text"] for part in content if part["type"] == "text")


def _call_names(body: Json) -> dict[str, str]:
    blocks = (block for message in body["messages"] for block in blocks_of(message))
    return {block["id"]: block["name"] for block in blocks if block["type"] == "tool_use"}


def fingerprint(body: Json) -> str:
    """Hash the model and the turns that a client wrote; equal for two attempts of one conversation."""
    turns = [(m["role"], [_unmarked(b) for b in blocks_of(m)]) for m in body["messages"] if m["role"] != "system"]
    whole = json.dumps([body["model"], turns], sort_keys=True)
    return hashlib.sha256(whole.encode()).hexdigest()


def _unmarked(block: Json) -> Json:
    return {key: value for key, value in block.items() if key != "cache_control"}


def count_input(body: Json) -> int:
    """Count the words of all turns and of the client's system text; at least 1."""
    return max(1, sum(count_words(text) for text in _texts(body)))


def count_words(text: str) -> int:
    return sum(1 for _ in _WORD.finditer(text))


def _texts(body: Json) -> Iterator[str]:
    system = body.get("system") or []
    for block in [{"text": system}] if isinstance(system, str) else system:
        if not block["text"].startswith(_CLI_SYSTEM):
            yield block["text"]
    for message in body["messages"]:
        if message["role"] != "system":
            yield from (_block_text(block) for block in blocks_of(message))


def _block_text(block: Json) -> str:
    match block["type"]:
        case "text":
            return str(block["text"])
        case "tool_result":
            return _result_text(block)
        case "tool_use":
            return json.dumps(block["input"])
        case other:
            return str(other)
