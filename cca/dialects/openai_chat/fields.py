"""What becomes of each field of a chat completion request that is not simply honoured, in tables.

Source of the names: OpenAI's published schema ``CreateChatCompletionRequest``. A field that would change the shape or
the meaning of an answer is refused, one that only tunes it is ignored and named. Nothing is dropped in silence.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from cca.dialects.openai_fields import LOGPROBS, Refusal
from cca.dialects.openai_fields import check as check_fields
from cca.errors import BadRequest
from cca.model import Json

NOTHING: tuple[Any, ...] = ([], {}, "")


NOT_YET = "cca does not serve it yet; leave it out."

CALLS = frozenset({"tool_calls", "function_call", "audio"})
"""Fields of a message that say something, and are not served yet."""

HEARING = "Claude neither hears nor speaks; send and expect text."

REFUSED: Mapping[str, Refusal] = {
    "tools": Refusal(NOT_YET, NOTHING),
    "tool_choice": Refusal(NOT_YET, ("none", "auto")),
    "parallel_tool_calls": Refusal(NOT_YET, (True, False)),
    "functions": Refusal(NOT_YET, NOTHING),
    "function_call": Refusal(NOT_YET, ("none", "auto")),
    "response_format": Refusal(NOT_YET, ({"type": "text"},)),
    "n": Refusal("cca makes one choice a request for now; send the request again for another.", (1,)),
    "store": Refusal("cca keeps no completions yet; leave it out.", (False,)),
    "metadata": Refusal("it belongs to stored completions, which cca does not have yet; leave it out.", ({},)),
    "audio": Refusal(HEARING),
    "modalities": Refusal('Claude answers in text; send ["text"] or leave it out.', (["text"],)),
    "logprobs": Refusal(LOGPROBS, (False,)),
    "top_logprobs": Refusal(LOGPROBS, (0,)),
    "web_search_options": Refusal("cca does not offer web search; leave it out.", ({},)),
}


def check(extra: Mapping[str, Json]) -> Iterator[str]:
    """Return the fields of ``extra`` that have no effect. Raise ``BadRequest`` for the first that is refused."""
    return check_fields(extra, REFUSED)


def check_message(extra: Mapping[str, Json], path: str) -> Iterator[str]:
    """Yield the names of a message's fields that have no effect. Raise ``BadRequest`` for one that has, elsewhere."""
    for name, value in extra.items():
        if name not in CALLS:
            yield name
        elif value not in NOTHING:
            where = f"{path}.{name}"
            raise BadRequest(f"{where} cannot be honoured: {NOT_YET}", param=where, code="unsupported_parameter")
