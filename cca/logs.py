"""The log: one sink, one redaction, one line an entry.

Whatever is logged, by cca or by what it is made of, loses what looks like a key, a token, a person or a device, the
values of the server's own credentials, and the user's home. What was said is in no entry, unless that is asked for: so
an exception tells its class and its place, and its words only where these are never a client's.
"""

import json
import logging
import math
import re
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from cca.backends.redaction import Literal, Redactor
from cca.backends.telltales import SECRET_NAMES, SHORTEST_SECRET
from cca.model import Json
from cca.settings import Settings

FIELDS = "fields"
"""The attribute of a record with what it tells besides its message, by name: ``extra={FIELDS: {...}}``."""

OURS = "cca"

ACCEPTING = "trio.serve_listeners"

MINUTE = 60.0

Line: TypeAlias = dict[str, Json]

SHOWN = (AttributeError, TypeError, NameError, ImportError, RecursionError, MemoryError)
"""Exceptions whose words are Python's or the system's, and not a client's."""

SHOWN_MODULES = ("sqlite3", "trio")
"""Modules of such exceptions."""

WITHHELD = "(its words are withheld; CCA_LOG_CONTENT=1 shows them)"

_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""What ends a line, moves a terminal's cursor, or turns text around."""


def hidden(environ: Mapping[str, str]) -> Sequence[Literal]:
    """Return the values in a server's environment that are in no entry."""
    return [*_credentials(environ), *_home(environ)]


def _credentials(environ: Mapping[str, str]) -> Iterator[Literal]:
    for name, value in environ.items():
        secret = any(word in name.upper() for word in SECRET_NAMES) and name.upper() != "NO_PROXY"
        if secret and len(value) >= SHORTEST_SECRET:
            yield Literal(value, "<credential>")


def _home(environ: Mapping[str, str]) -> Iterator[Literal]:
    home = environ.get("HOME", "").rstrip("/")
    if home:
        yield Literal(home, "<home>")


def one_line(text: str) -> str:
    """Return ``text`` with all that is not to be seen in a line escaped, as Python escapes it."""
    return _UNSEEN.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


class Entries(logging.Formatter):
    """Makes an entry of a record: a line of text or of JSON, without what is ``hidden``."""

    def __init__(self, hidden: Sequence[Literal], *, as_json: bool = False, content: bool = False) -> None:
        super().__init__()
        self.hidden = hidden
        self.as_json = as_json
        self.content = content

    def format(self, record: logging.LogRecord) -> str:
        line: Line = {
            "at": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "from": record.name,
            "message": record.getMessage(),
            **getattr(record, FIELDS, {}),
        }
        if record.exc_info and record.exc_info[1] is not None:
            line["fault"] = self._fault(record.exc_info[1])
        # A new one each time: it remembers what it has hidden.
        clean = Redactor(self.hidden).value(line)
        return json.dumps(clean, default=str) if self.as_json else _as_text(clean)

    def _fault(self, fault: BaseException) -> str:
        """Return a traceback: the places, and of the exceptions what may be told."""
        if self.content:
            return "".join(traceback.format_exception(fault))
        return " | ".join(_told(fault))


def _told(fault: BaseException) -> Iterator[str]:
    """Yield a fault, where it came from, and the faults behind and within it."""
    places = traceback.extract_tb(fault.__traceback__)
    where = " < ".join(f"{place.filename}:{place.lineno} {place.name}" for place in reversed(places))
    yield f"{type(fault).__name__}: {_words(fault)}" + (f" at {where}" if where else "")
    behind = fault.__cause__ or (None if fault.__suppress_context__ else fault.__context__)
    if behind is not None:
        yield from _told(behind)
    if isinstance(fault, BaseExceptionGroup):
        for inner in fault.exceptions:
            yield from _told(inner)


def _words(fault: BaseException) -> str:
    match fault:
        case OSError(strerror=str(said)):
            # Not its file's name: a client's text is none, but it may be the user's.
            return said
        case OSError():
            return WITHHELD
        case BaseExceptionGroup():
            return f"{len(fault.exceptions)} of them"
        case _ if isinstance(fault, SHOWN) or type(fault).__module__.partition(".")[0] in SHOWN_MODULES:
            return str(fault)
        case _:
            return WITHHELD


def _as_text(line: Line) -> str:
    at, level, origin, message, *_ = map(str, line.values())
    rest = " ".join(f"{name}={value}" for name, value in list(line.items())[4:])
    return one_line(f"{at} {level.upper()} {origin}: {message}" + (f" {rest}" if rest else ""))


class Seldom(logging.Filter):
    """Lets what Trio logs ten times a second, while the system has no descriptors, pass once a minute."""

    def __init__(self) -> None:
        super().__init__()
        self._passed = -math.inf

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name != ACCEPTING:
            return True
        if 0 <= record.created - self._passed < MINUTE:
            return False
        self._passed = record.created
        return True


class Sink(logging.StreamHandler):  # type: ignore[type-arg]
    """Writes entries to stderr. What cannot be written is lost without a word: its text is nowhere else to be."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        super().__init__(sys.stderr)
        self.hidden = hidden(environ)
        self.setFormatter(Entries(self.hidden))
        self.addFilter(Seldom())

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the library's name
        """Do not as Python would: it prints what was to be logged."""

    def tune(self, settings: Settings) -> None:
        self.setFormatter(Entries(self.hidden, as_json=settings.log_format == "json", content=settings.log_content))


def open_log(environ: Mapping[str, str]) -> None:
    """Send what the process logs to a sink, from warnings on; unless it has another already."""
    logging.basicConfig(handlers=[Sink(environ)], level=logging.WARNING)


def tune_log(settings: Settings) -> None:
    """Have the log as ``settings`` say."""
    logging.getLogger(OURS).setLevel(settings.log_level.upper())
    for handler in logging.getLogger().handlers:
        if isinstance(handler, Sink):
            handler.tune(settings)
