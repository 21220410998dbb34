"""What becomes of the fields of a request for a message that are neither honoured nor only ignored, in tables.

Source of the names: Anthropic's published schemas, and the types of its client libraries.
"""

import re
from collections.abc import Iterator, Mapping

from cca.dialects.anthropic import NO_THREADS
from cca.dialects.fields import Refusal, check
from cca.errors import BadRequest
from cca.model import Json
from cca.wire import Body

VERSION_WITHOUT_SAMPLING = "2026-10-21"
"""From this version on, the API samples as it sees fit, and takes no documents of the assistant's."""

REFUSED: Mapping[str, Refusal] = {
    "mcp_servers": Refusal("cca connects to no MCP servers; offer their tools as your own.", ([],)),
    "compaction": Refusal("cca sums up no conversations; leave it out, and ask for a summary in a message."),
}

THREAD = Refusal("cca keeps no threads of messages; send all messages, without thread.")


def check_thread(given: Mapping[str, Json]) -> None:
    """Raise ``BadRequest`` for a request that goes on from what the server is to have kept."""
    if given.get("thread") is not None:
        raise BadRequest(f"thread cannot be honoured: {THREAD.instead}", param="thread", code=NO_THREADS)


def check_extra(extra: Mapping[str, Json]) -> Iterator[str]:
    """Yield the fields of ``extra`` that have no effect. Raise ``BadRequest`` for the first that is refused."""
    return check(extra, REFUSED)


SERVED_ELSEWHERE = frozenset(
    {
        *("server_tool_use", "web_search_tool_result", "web_fetch_tool_result", "code_execution_tool_result"),
        *("bash_code_execution_tool_result", "text_editor_code_execution_tool_result", "tool_search_tool_result"),
        *("advisor_tool_result", "mcp_tool_use", "mcp_tool_result", "mcp_tool_listing", "container_upload"),
        *("compaction", "fallback", "tool_reference", "tool_addition", "tool_removal"),
    }
)
"""Blocks of what Anthropic's servers do besides answering, which cca offers nothing of."""


def instead_of(kind: str) -> str:
    """Return what to do about a block of a type that is not taken."""
    if kind in SERVED_ELSEWHERE:
        return "it is of what Anthropic runs beside the model, and cca offers nothing of that; leave it out"
    return "there is no such block here; send text, images, documents, search results, or calls and results of tools"


def unheard(body: Body, path: str) -> Iterator[str]:
    """Yield what an object at ``path`` says that has no effect, by its name."""
    if body.extra:
        yield from (f"{placeless(path)}.{name}" for name in body.extra)


def placeless(path: str) -> str:
    """Return a path without the positions in arrays."""
    return _POSITION.sub("", path)


_POSITION = re.compile(r"\[\d+\]")
