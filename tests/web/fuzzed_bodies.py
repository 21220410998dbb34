"""Bodies of requests that nobody would write: made from the types that clients' libraries publish, and from good ones.

All comes from a ``Random``, so that a number brings a body back.
"""

import collections.abc
import json
import types
from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Annotated, Any, Literal, NotRequired, Required, Union, get_args, get_origin

from typing_extensions import get_type_hints

DEPTH = 7
"""How deep a type that holds itself is followed."""

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

STRINGS = (
    *("", " ", "x", "a b", "sonnet", "haiku", "user", "assistant", "system", "tool", "text", "function", "auto", "f"),
    *("\x00", "\u2028", "\ufeff", "e\u0301", "\U0001f600", "\r\n\r\n", "data: [DONE]\n\n", "' OR '1'='1", "{}", "[]"),
    *("null", "-1", "1e999", "../../etc/passwd", "file:///etc/passwd", "http://169.254.169.254/", "x" * 300),
    *(f"data:image/png;base64,{PNG}", PNG, "application/pdf", "image/png", "https://example.org/a.png", "\ud800"),
)
NUMBERS = (0, 1, -1, 2, 1.0, 0.5, -0.0, 2.5, 1e308, -1e308, 5e-324, 2**31, 2**53 + 1, 2**63, -(2**63), 2**64, 10**400)
LEAVES: tuple[Any, ...] = (None, True, False, *NUMBERS, *STRINGS)
NAMES = (
    *("type", "role", "content", "text", "id", "name", "input", "source", "data", "url", "model"),
    *("x", "", "__class__"),
)


def of_type(hint: Any, random: Random, depth: int = DEPTH) -> Any:
    """Return a value of a type, as a client's library has it, now and then with a field too few."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hasattr(hint, "__required_keys__"):  # a TypedDict, of typing or of the extensions to it
        return _of_fields(hint, random, depth)
    if origin is Literal:
        return random.choice(arguments)
    if origin in (Union, types.UnionType):
        return of_type(random.choice(arguments), random, depth)
    if origin in (Required, NotRequired, Annotated):
        return of_type(arguments[0], random, depth)
    if origin in (list, collections.abc.Iterable, collections.abc.Sequence, tuple):
        size = 0 if depth <= 0 else random.choice((0, 1, 1, 2, 3))
        return [of_type(arguments[0], random, depth - 1) for _ in range(size)]
    if origin in (dict, collections.abc.Mapping):
        size = 0 if depth <= 0 else random.choice((0, 1, 2))
        return {random.choice(NAMES): of_type(arguments[1], random, depth - 1) for _ in range(size)}
    plain: Mapping[Any, Sequence[Any]] = {
        str: STRINGS[:-1], int: NUMBERS[:4], float: NUMBERS[:6], bool: (True, False), type(None): (None,)
    }  # fmt: skip
    return random.choice(plain[hint]) if hint in plain else anything(random, depth)


def _of_fields(hint: Any, random: Random, depth: int) -> dict[str, Any]:
    fields = get_type_hints(hint)
    wanted = [
        name for name in fields
        if random.random() < (0.97 if name in hint.__required_keys__ else 0.15 if depth > 0 else 0)
    ]  # fmt: skip
    return {name: of_type(fields[name], random, depth - 1) for name in wanted}


def anything(random: Random, depth: int = 3) -> Any:
    """Return JSON of any kind."""
    kind = random.random()
    if depth <= 0 or kind < 0.6:
        return random.choice(LEAVES)
    inner = [anything(random, depth - 1) for _ in range(random.randrange(4))]
    return inner if kind < 0.8 else {random.choice(NAMES): each for each in inner}


def mutated(body: Any, random: Random) -> Any:
    """Return a good body with one to three changes, anywhere in it."""
    body = json.loads(json.dumps(body))
    for _ in range(random.choice((1, 1, 2, 3))):
        places = list(_places(body))
        if not places:
            return anything(random)
        holder, key = random.choice(places)
        _change(holder, key, places, random)
    return body


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from _places(value[key])


def _change(holder: Any, key: Any, places: Sequence[tuple[Any, Any]], random: Random) -> None:
    match random.randrange(9):
        case 0:
            del holder[key]
        case 1 | 2 | 3:
            holder[key] = anything(random)
        case 4:
            other, there = random.choice(places)
            if isinstance(other, dict) and there in other:
                # A copy: what holds itself is no JSON.
                holder[key] = json.loads(json.dumps(other[there]))
        case 5:
            holder[key] = [holder[key]]
        case 6:
            holder[key] = {random.choice(NAMES): holder[key]}
        case 7 if isinstance(holder, list):
            holder.insert(random.randrange(len(holder) + 1), anything(random))
        case 8 if isinstance(holder, list):
            holder.append(json.loads(json.dumps(holder[key])))
        case _ if isinstance(holder, dict):
            holder[random.choice((*NAMES, *(str(name) for name in holder)))] = anything(random)
