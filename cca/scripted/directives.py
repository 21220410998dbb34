"""Directives: what a test asks of the scripted model, in double square brackets in the last user text.

Each is one row of ``DIRECTIVES``. Brackets that match no row are text like any other.
"""

import json
import re
from collections.abc import Callable
from typing import TypeAlias

from attrs import evolve, frozen

from cca.scripted.script import Call, CutOff, Fault, Shown, Silence, StreamError, http_error

MOST_TOKENS = 200_000
SHOWN: dict[str | None, Shown] = {None: "told", "hidden": "hidden", "redacted": "redacted"}


@frozen
class Wishes:
    """What the directives of one prompt come to. ``thinking`` is the text to think, if any, and how it is ``shown``."""

    tokens: int | None = None
    wait: float = 0.0
    delay: float = 0.0
    stop_reason: str | None = None
    stop_sequence: str | None = None
    category: str | None = None
    thinking: str | None = None
    shown: Shown = "told"
    calls: tuple[Call, ...] = ()
    cache_read: int = 0
    cache_created: int = 0
    fault: Fault | None = None
    fault_times: int | None = None


Row: TypeAlias = Callable[[Wishes, re.Match[str]], Wishes]


def _seconds(match: re.Match[str]) -> float:
    return float(match["amount"]) * {"ms": 0.001, "s": 1.0}[match["unit"]]


def _number(match: re.Match[str], name: str, unless: int = 0) -> int:
    return unless if match[name] is None else int(match[name])


def _failing(wishes: Wishes, match: re.Match[str], fault: Fault) -> Wishes:
    return evolve(wishes, fault=fault, fault_times=None if match["times"] is None else int(match["times"]))


def _tokens(wishes: Wishes, match: re.Match[str]) -> Wishes:
    return evolve(wishes, tokens=min(_number(match, "count"), MOST_TOKENS))


def _call(wishes: Wishes, match: re.Match[str]) -> Wishes:
    try:
        arguments = json.loads(match["input"] or "{}")
    except ValueError:
        arguments = {"text": match["input"]}
    return evolve(wishes, calls=(*wishes.calls, Call(match["name"], arguments)))


def _stop(wishes: Wishes, match: re.Match[str]) -> Wishes:
    return evolve(wishes, stop_reason=match["reason"], category=match["category"])


def _stop_sequence(wishes: Wishes, match: re.Match[str]) -> Wishes:
    return evolve(wishes, stop_reason="stop_sequence", stop_sequence=match["text"])


def _thinking(wishes: Wishes, match: re.Match[str]) -> Wishes:
    shown: Shown = SHOWN[match["shown"]]
    return evolve(wishes, thinking=match["text"] or "Let me think about that.", shown=shown)


def _cached(wishes: Wishes, match: re.Match[str]) -> Wishes:
    return evolve(wishes, cache_read=_number(match, "count"), cache_created=_number(match, "created"))


def _error(wishes: Wishes, match: re.Match[str]) -> Wishes:
    retry_after = None if match["seconds"] is None else float(match["seconds"])
    return _failing(wishes, match, http_error(int(match["status"]), retry_after))


def _stream_error(wishes: Wishes, match: re.Match[str]) -> Wishes:
    return _failing(wishes, match, StreamError(match["kind"], _number(match, "after", 2)))


def _cut(wishes: Wishes, match: re.Match[str]) -> Wishes:
    return _failing(wishes, match, CutOff(_number(match, "after")))


def _silent(wishes: Wishes, match: re.Match[str]) -> Wishes:
    return _failing(wishes, match, Silence(None if match["after"] is None else int(match["after"])))


_AMOUNT = r"(?P<amount>\d+(?:\.\d+)?)\s*(?P<unit>ms|s)"
_AFTER = r"(?:\s+after\s+(?P<after>\d+))?"
_TIMES = r"(?:\s+times\s+(?P<times>\d+))?"

DIRECTIVES: dict[str, Row] = {
    r"tokens\s+(?P<count>\d+)": _tokens,
    rf"wait\s+{_AMOUNT}": lambda wishes, match: evolve(wishes, wait=_seconds(match)),
    rf"delay\s+{_AMOUNT}": lambda wishes, match: evolve(wishes, delay=_seconds(match)),
    r"stop\s+(?P<reason>\w+)(?:\s+(?P<category>\w+))?": _stop,
    r"stop_sequence\s+(?P<text>[^\s\[\]][^\[\]]*?)": _stop_sequence,
    r"(?:(?P<shown>hidden|redacted)\s+)?thinking(?:\s+(?P<text>[^\s\[\]][^\[\]]*?))?": _thinking,
    r"call\s+(?P<name>[\w.-]+)(?:\s+(?P<input>\{.*?\}))?": _call,
    r"cached\s+(?P<count>\d+)(?:\s+created\s+(?P<created>\d+))?": _cached,
    rf"error\s+(?P<status>4\d\d|5[012]\d)(?:\s+retry-after\s+(?P<seconds>\d+(?:\.\d+)?))?{_TIMES}": _error,
    rf"error\s+mid-stream\s+(?P<kind>\w+){_AFTER}{_TIMES}": _stream_error,
    rf"cut(?:\s+at\s+start)?{_AFTER}{_TIMES}": _cut,
    rf"silent{_AFTER}{_TIMES}": _silent,
}

_ROWS = [(re.compile(rf"\[\[\s*{row}\s*\]\][ \t]*", re.DOTALL), change) for row, change in DIRECTIVES.items()]


def read_directives(text: str) -> Wishes:
    found = [(match.start(), change, match) for row, change in _ROWS for match in row.finditer(text)]
    wishes = Wishes()
    for _, change, match in sorted(found, key=lambda each: each[0]):
        wishes = change(wishes, match)
    return wishes


def without_directives(text: str) -> str:
    rest = text
    for row, _ in _ROWS:
        rest = row.sub("", rest)
    return text if rest == text else rest.strip()
