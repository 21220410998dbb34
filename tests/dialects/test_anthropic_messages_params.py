"""Each field and each block that anthropic-python can send is read, ignored and named, or refused."""

from typing import Any, get_args

import anthropic
from test_anthropic_messages_fields import IGNORED, READ, REFUSED

from cca.dialects.anthropic_messages.body import BLOCKS
from cca.dialects.anthropic_messages.fields import SERVED_ELSEWHERE

HEADERS = frozenset({"betas"})
"""Parameters that are no fields."""


def test_there_is_a_word_on_each_field_of_the_client_library() -> None:
    for params in (
        anthropic.types.message_create_params.MessageCreateParamsBase,
        anthropic.types.message_count_tokens_params.MessageCountTokensParams,
        anthropic.types.beta.message_create_params.MessageCreateParamsBase,
        anthropic.types.beta.message_count_tokens_params.MessageCountTokensParams,
    ):
        fields = {name for kind in params.__mro__ for name in getattr(kind, "__annotations__", {})}
        assert fields - HEADERS - {*READ, *IGNORED, *REFUSED} == set(), params


def test_there_is_a_word_on_each_type_of_block_of_the_client_library() -> None:
    kinds = set()
    for param in get_args(anthropic.types.beta.BetaContentBlockParam):
        hint = getattr(param, "__annotations__", {}).get("type")
        if hint is not None:
            kinds |= set(_literals(hint))
    assert kinds > {"text", "tool_use"}
    assert kinds - {*BLOCKS, *SERVED_ELSEWHERE} == set()


def _literals(hint: Any) -> list[str]:
    """Return the strings of an annotation that is not evaluated, as in ``Required[Literal['text']]``."""
    written = getattr(hint, "__forward_arg__", str(hint))
    return written.split("'")[1::2]
