"""Which tools a prompt asks for, and with which arguments."""

import json
import re

from attrs import evolve, frozen

from cca.scripted.instances import Hints, instance
from cca.scripted.script import Call, Json

STRUCTURED = "StructuredOutput"
"""The CLI's own tool for a JSON answer. Its schema is the answer's."""

_NOT_FOR_USE = {STRUCTURED, "DeferredToolPlaceholder"}
_COMMON = {
    *(
        "about",
        "call",
        "create",
        "current",
        "delete",
        "execute",
        "fetch",
        "find",
        "from",
        "function",
        "given",
        "have",
    ),
    *(
        "into",
        "invoke",
        "list",
        "make",
        "perform",
        "query",
        "read",
        "return",
        "returns",
        "run",
        "search",
        "send",
    ),
    *(
        "show",
        "string",
        "that",
        "their",
        "there",
        "these",
        "this",
        "tool",
        "update",
        "value",
        "what",
        "when",
        "which",
    ),
    *("with", "write", "your"),
}
_SALIENT = 4  # letters; shorter words say little of what a tool does
_ENOUGH = 2  # one salient word of the name, or two of the description

_NAME = r"[A-Z][\w'-]*(?:[ ][A-Z][\w'-]*)*"
_NAMES = re.compile(rf"\b(?:in|at|for|from|to|near|of)\s+({_NAME}(?:(?:\s*,\s*|\s+)(?:(?:and|or)\s+)?{_NAME})*)")
_BETWEEN = re.compile(r"\s*,\s*(?:(?:and|or)\s+)?|\s+(?:and|or)\s+")
_QUOTED = re.compile(r'"([^"\n]+)"|“([^”\n]+)”')
_CAPITAL = re.compile(r"(?<=[a-z,] )[A-Z][\w'-]+")
_AFTER_PREPOSITION = re.compile(r"\b(?:in|at|for|of|about|near)\s+(?:the\s+|an?\s+)?(\w+)")
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?!\w)")
_PAIR = re.compile(r"""["']?(\w+)["']?\s*[=:]\s*(?:"([^"\n]*)"|([^\s,;}]+))""")


@frozen
class Offer:
    """One of the client's tools."""

    name: str
    description: str
    schema: Json

    def score(self, words: set[str]) -> int:
        own = _salient(_split_name(self.name)) & words
        told = _salient(re.findall(r"[A-Za-z]+", self.description)) & words
        return _ENOUGH * len(own) + len(told)


def offers(body: Json) -> tuple[Offer, ...]:
    """List the tools that the client runs. Those of the API itself have no schema."""
    return tuple(
        Offer(tool["name"], tool.get("description") or "", tool["input_schema"])
        for tool in body.get("tools") or ()
        if "input_schema" in tool and tool["name"] not in _NOT_FOR_USE
    )


def structured_schema(body: Json) -> Json | None:
    """Find the schema of the tool for JSON answers, when it is on offer."""
    return next((t["input_schema"] for t in body.get("tools") or () if t["name"] == STRUCTURED), None)


def asked_calls(body: Json, text: str) -> tuple[Call, ...]:
    """Call the tools that the text names, or else the one whose work it speaks of."""
    on_offer = offers(body)
    named = [offer for offer in on_offer if _is_named(offer.name, text)]
    if not named:
        words = {_stem(word) for word in re.findall(r"[A-Za-z]+", text)}
        best = max(on_offer, key=lambda offer: offer.score(words), default=None)
        named = [best] if best is not None and best.score(words) >= _ENOUGH else []
    return tuple(call for offer in named for call in _calls_of(offer, text))


def forced_calls(body: Json, text: str) -> tuple[Call, ...]:
    """Call what ``tool_choice`` demands: the tool that it names, or any."""
    match body.get("tool_choice"):
        case {"type": "tool", "name": name}:
            allowed = [offer for offer in offers(body) if offer.name == name]
        case {"type": "any"}:
            allowed = list(offers(body))
        case _:
            return ()
    names = {offer.name for offer in allowed}
    asked = tuple(call for call in asked_calls(body, text) if call.name in names)
    return asked or tuple(call for offer in allowed[:1] for call in _calls_of(offer, text))


def _calls_of(offer: Offer, text: str) -> tuple[Call, ...]:
    written = _json_object(text)
    if written is not None:
        return (Call(offer.name, written),)
    hints = read_hints(text)
    each = [evolve(hints, names=(name,)) for name in hints.names] if _takes_one_name(offer.schema) else []
    return tuple(Call(offer.name, instance(offer.schema, one) or {}) for one in each or [hints])


def read_hints(text: str) -> Hints:
    pairs = tuple((name, quoted or bare) for name, quoted, bare in _PAIR.findall(text))
    return Hints(text, _names(text), tuple(float(number) for number in _NUMBER.findall(text)), pairs)


def _names(text: str) -> tuple[str, ...]:
    quoted = [first or second for first, second in _QUOTED.findall(text)]
    listed = [name for group in _NAMES.findall(text) for name in _BETWEEN.split(group)]
    return tuple(quoted or listed or _CAPITAL.findall(text) or _AFTER_PREPOSITION.findall(text)[:1])


def _takes_one_name(schema: Json) -> bool:
    properties = schema.get("properties") or {}
    wanted = schema.get("required") or list(properties)
    kinds = [properties.get(name, {}) for name in wanted]
    free = [kind for kind in kinds if kind.get("type") == "string" and not {"enum", "const", "format"} & kind.keys()]
    return len(free) == 1 and not any(kind.get("type") == "array" for kind in kinds)


def _json_object(text: str) -> Json | None:
    try:
        value, _ = json.JSONDecoder().raw_decode(text, text.index("{"))
    except ValueError:
        return None
    return value


def _is_named(name: str, text: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text, re.IGNORECASE) is not None


def _split_name(name: str) -> list[str]:
    return re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)


def _salient(words: list[str]) -> set[str]:
    return {_stem(word) for word in words if len(word) >= _SALIENT and word.lower() not in _COMMON}


def _stem(word: str) -> str:
    return word.lower().rstrip("s")
