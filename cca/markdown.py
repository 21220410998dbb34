"""A session as Markdown, for people to read.

What somebody wrote stands in a fence that is longer than any in it, as it was written: whatever it looks like, it is no
heading, no turn and no markup of this page. Only what cca itself says stands outside of fences.
"""

import json
import re
from collections.abc import Callable, Iterator

import orjson

from cca.archive import Archive, ArchivedTurn
from cca.model import Json
from cca.store.turns import Answered

STATUSES = {
    "incomplete": "incomplete: the client left before the end of the answer",
    "undelivered": "undelivered: the client got nothing of the answer, and this is no part of the conversation",
}

Moment = Callable[[float], str]


def markdown(archive: Archive, moment: Moment) -> str:
    """Return ``archive`` as a page; ``moment`` spells a time."""
    return "\n\n".join(_blocks(archive, moment)) + "\n"


def _blocks(archive: Archive, moment: Moment) -> Iterator[str]:
    yield f"# Session {code(archive.id)}"
    facts = [] if archive.title is None else [f"- Title: {code(archive.title)}"]
    facts.append(f"- Begun: {moment(archive.created_at)}")
    facts.append(f"- Last used: {moment(archive.updated_at)}")
    facts.append(f"- Turns: {len(archive.turns)}")
    yield "\n".join(facts)
    if archive.system:
        yield "## System prompt"
        yield from map(fenced, archive.system)
    for position, turn in enumerate(archive.turns):
        yield from _turn(position, turn, moment)


def _turn(position: int, turn: ArchivedTurn, moment: Moment) -> Iterator[str]:
    yield f"## Turn {position}: {turn.role}"
    facts = [f"- At: {moment(turn.created_at)}"]
    if turn.status in STATUSES:
        facts.append(f"- Status: {STATUSES[turn.status]}")
    if turn.answer is not None:
        facts += _facts(turn.answer)
    yield "\n".join(facts)
    if not turn.content:
        yield "It has no content."
    for part in turn.content:
        yield from _part(part)


def _facts(answer: Answered) -> Iterator[str]:
    usage = answer.usage
    yield f"- Model: {code(answer.model)}"
    yield f"- Ended: {code(answer.outcome)}, after {answer.duration:.1f} s"
    yield (
        f"- Tokens: {usage.input_tokens:,} in, {usage.cache_read_tokens:,} from the cache, "
        f"{usage.cache_write_tokens:,} into the cache, {usage.output_tokens:,} out, "
        f"{usage.reasoning_tokens:,} of these for reasoning"
    )
    yield f"- Cost: ${answer.cost:.6f}"


def _part(part: Json) -> Iterator[str]:
    match part:
        case {"type": "text", "text": text}:
            yield fenced(text)
        case {"type": "thinking", "text": ""}:
            yield "Thinking, of which nothing is told."
        case {"type": "thinking", "text": text}:
            yield "Thinking:"
            yield fenced(text)
        case {"type": "redacted_thinking"}:
            yield "Thinking that only the model's API can read."
        case {"type": "tool_use", **called}:
            yield "Tool call, which broke off:" if "partial_json" in called else "Tool call:"
            yield _json(called)
        case {"type": "tool_result", "content": list(content), **result}:
            yield "Tool result:"
            yield _json({**result, "content": [_shown(inner) for inner in content]})
        case {"type": "image"}:
            yield f"Image: {_named(part)}"
        case {"type": "search_result", **found}:
            yield "Search result:"
            yield _json(found)
        case _:
            yield f"Document: {_named(part)}"


def _shown(part: Json) -> Json:
    """Return a part of a tool's result without the bytes of a picture or a file."""
    if part.get("data") is not None:
        kept = {name: value for name, value in part.items() if name != "data"}
        return {**kept, "bytes": _size(part["data"])}
    return part


def _named(part: Json) -> str:
    """Return what an image or a document is, in place of what is in it."""
    title = [code(part["title"])] if part.get("title") is not None else []
    if part.get("url") is not None:
        return ", ".join([*title, f"at {code(part['url'])}"])
    text = part.get("text")
    kind = part.get("media_type") or ("text/plain" if text is not None else "of no type")
    size = len(text.encode()) if text is not None else _size(part.get("data") or "")
    return ", ".join([*title, code(kind), f"{size:,} bytes"])


def _size(base64: str) -> int:
    """Return how many bytes a text in base64 stands for."""
    return len(base64.rstrip("=")) * 3 // 4


def _json(value: Json) -> str:
    return fenced(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode(), "json")


def fenced(text: str, kind: str = "text") -> str:
    """Return ``text`` as a code block: the newline before the last line is not of the text."""
    fence = "`" * (max((len(run) for run in re.findall("`{3,}", text)), default=2) + 1)
    return f"{fence}{kind}\n{text}\n{fence}"


def code(text: str) -> str:
    """Return ``text`` as code in a line; as JSON, where it has what a line cannot show."""
    shown = text if text and text.isprintable() else json.dumps(text)
    fence = "`" * (max((len(run) for run in re.findall("`+", shown)), default=0) + 1)
    space = " " if shown[0] in "` " or shown[-1] in "` " else ""
    return f"{fence}{space}{shown}{space}{fence}"
