"""S-30, S-32, S-35. What is tried with a client's texts is tried with one in every field that can have one.

A field that a dialect gains is in none of those requests: it fails here until it is, or until it is said why not.
"""

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any, TypeAlias, get_args

import attrs
import pytest
from live_attempts import COMMANDS, MENTIONS
from live_fields import FORMS, SHAPES, names, new_conversation

import cca
from cca.dialects.anthropic_messages import body as messages
from cca.dialects.anthropic_messages.form import Form
from cca.dialects.openai_chat import body as chat
from cca.dialects.openai_completions import request as completions
from cca.dialects.openai_format import Flat, Nested, Plain
from cca.dialects.openai_responses import body as responses
from cca.errors import BadRequest
from cca.model import Json
from cca.web.conversations import NewConversation, NewItems
from cca.web.sent import Labels
from cca.web.sessions import Change, Fork
from cca.wire import Body, strict_converter, structure

Field: TypeAlias = tuple[type[Body], str]
"""A class and the name of its field."""

WORD = "canary"

READERS: Mapping[str, Callable[[Json], Body]] = {
    "/v1/chat/completions": chat.read,
    "/v1/completions": lambda body: structure(completions.CONVERTER, body, completions.CompletionRequest),
    "/v1/responses": responses.read,
    "/v1/messages": messages.read,
    "/v1/conversations": lambda body: NewConversation(**body),
}

INSIDE: Mapping[Field, Callable[[Json], Any]] = {
    (chat.ChatRequest, "response_format"): lambda value: structure(strict_converter(), value, Nested),
    (responses.TextConfig, "format"): lambda value: structure(strict_converter(), value, Flat),
    (messages.OutputConfig, "format"): lambda value: structure(strict_converter(), value, Form),
    (messages.MessagesRequest, "output_format"): lambda value: structure(strict_converter(), value, Form),
    (NewConversation, "items"): responses.read_items,
}
"""Fields whose JSON is read by itself."""

CALL_IDS = "an id that the model's API would not take is made anew, of a digest"
OF_A_TABLE = "one of few words, or the request is refused before anything is made of it"
NO_MODEL = "of a request that no model is asked by"

EXEMPT: Mapping[Field, str] = {
    (chat.FunctionToolCall, "id"): CALL_IDS,
    (chat.ToolMessage, "tool_call_id"): CALL_IDS,
    (responses.FunctionCall, "call_id"): CALL_IDS,
    (responses.FunctionCallOutput, "call_id"): CALL_IDS,
    (chat.FunctionMessage, "name"): "it says which call a result is of, and goes nowhere",
    (chat.AudioPart, "type"): OF_A_TABLE,
    (Plain, "type"): OF_A_TABLE,
    (NewItems, "items"): "read as those of a new conversation",
    (Labels, "metadata"): NO_MODEL,
    (Change, "title"): NO_MODEL,
    (Fork, "title"): NO_MODEL,
    (Fork, "id"): NO_MODEL,
}

KINDS = ("type", "role")
"""Fields by which classes are told apart, each of few words. Of one that has no other, any word may be there."""


def bodies() -> Iterator[type[Body]]:
    """Yield each class of what stands in a request."""
    for module in pkgutil.walk_packages(cca.__path__, "cca."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    yield from (kind for kind in _below(Body) if kind.__module__.startswith("cca."))


def _below(kind: type[Body]) -> Iterator[type[Body]]:
    for each in kind.__subclasses__():
        yield each
        yield from _below(each)


def fields_of(kind: type[Body]) -> Iterator[Field]:
    """Yield the fields of a class that can have a text in them: not those of objects with classes of their own."""
    own = [field for field in attrs.fields(attrs.resolve_types(kind)) if field.name != "extra"]
    for field in own:
        if _takes_text(field.type) and (field.name not in KINDS or len(own) == 1):
            yield kind, field.name


def _takes_text(kind: Any) -> bool:
    return kind in (str, Any) or any(map(_takes_text, get_args(kind)))


def has_word(value: Any) -> bool:
    match value:
        case str():
            return any(form(word) in value for word in (WORD, FORMS[0](WORD)) for form in FORMS)
        case dict():
            return any(map(has_word, (*value, *value.values())))
        case list() | tuple():
            return any(map(has_word, value))
        case _:
            return False


def said_in(read: Any) -> Iterator[Field]:
    """Yield the fields of what was read that have the word in them."""
    if isinstance(read, tuple):
        for each in read:
            yield from said_in(each)
    elif isinstance(read, Body):
        for name, value in attrs.asdict(read, recurse=False).items():
            field = type(read), name
            if has_word(value):
                yield field
            yield from said_in(value)
            with suppress(BadRequest):
                yield from said_in(INSIDE[field](value) if field in INSIDE and value is not None else None)


def tried() -> Iterator[Field]:
    """Yield the fields in which the texts are."""
    for path, body in (*(ask(WORD) for ask in SHAPES.values()), new_conversation(WORD)):
        yield from said_in(READERS[path](body))
    for path, body in names(WORD).values():
        # A word that is in no table is refused as it is read.
        with suppress(BadRequest):
            yield from said_in(READERS[path](body))


def test_every_field_that_can_have_a_text_has_been_tried_with_one() -> None:
    there = {field for kind in bodies() for field in fields_of(kind)}
    assert len(there) > 70
    assert there - {*tried()} == set(EXEMPT)


def test_a_field_that_is_new_would_be_seen() -> None:
    @attrs.frozen(kw_only=True)
    class New(Body):
        type: str
        said: tuple[str, ...] | None = None
        anything: Json = None
        number: int | None = None
        inner: messages.TextBlock | None = None

    assert {*fields_of(New)} == {(New, "said"), (New, "anything")}


@pytest.mark.parametrize(("texts", "least"), [(MENTIONS, 40), (COMMANDS, 60)], ids=["mentions", "commands"])
def test_as_many_texts_are_tried_as_were_promised(texts: tuple[str, ...], least: int) -> None:
    assert len(set(texts)) >= least
