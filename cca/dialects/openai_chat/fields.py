"""What becomes of the fields of a chat completion request that are neither honoured nor only ignored, in tables.

Source of the names: OpenAI's published schema ``CreateChatCompletionRequest``.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from cca.dialects.fields import Refusal
from cca.dialects.fields import check as check_fields
from cca.dialects.openai_fields import LOGPROBS
from cca.errors import BadRequest
from cca.model import Json

HEARING = "Claude neither hears nor speaks; send and expect text."

REFUSED: Mapping[str, Refusal] = {
    "audio": Refusal(HEARING),
    "modalities": Refusal('Claude answers in text; send ["text"] or leave it out.', (["text"],)),
    "logprobs": Refusal(LOGPROBS, (False,)),
    "top_logprobs": Refusal(LOGPROBS, (0,)),
    "moderation": Refusal("cca moderates nothing, and Claude does by itself; leave it out."),
    "web_search_options": Refusal("cca does not offer web search; leave it out, or offer a function of yours.", ({},)),
}

_NOTHING: tuple[Any, ...] = ([], {}, "")


def check(extra: Mapping[str, Json]) -> Iterator[str]:
    """Return the fields of ``extra`` that have no effect. Raise ``BadRequest`` for the first that is refused."""
    return check_fields(extra, REFUSED)


def check_message(extra: Mapping[str, Json], path: str) -> Iterator[str]:
    """Yield the names of a message's fields that have no effect. Raise ``BadRequest`` for one that was heard."""
    for name, value in extra.items():
        if value in _NOTHING:
            continue
        if name != "audio":
            yield name
        else:
            where = f"{path}.{name}"
            text = f"{where} cannot be honoured: Claude did not say it; send its transcript as content."
            raise BadRequest(text, param=where, code="unsupported_parameter")
