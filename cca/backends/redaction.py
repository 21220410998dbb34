"""What of a conversation may be kept in a recording: fields by allow-list, texts without secrets.

Lines that Claude Code prints keep only the fields in ``KEPT``; a field that a later version adds is not recorded until
it is listed. Texts, on either side, lose what looks like a key, a token, an e-mail address or an id, and what the
recorder names: values of credentials, paths, the user, the host. Each becomes a placeholder, the same for the same
secret.

A secret can be split over the pieces of a stream. So pieces are joined, redacted, and cut again where they were cut.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Final, TypeAlias

import attrs
import orjson
from attrs import define, field, frozen

from cca.backends import Exit
from cca.backends.transcript import Ended, Entry, Garbled, Header, Read, Transcript, Written
from cca.model import Json

Shape: TypeAlias = "Mapping[str, Shape] | None"
"""The fields of an object that are kept; ``None`` keeps a value whole."""

WHOLE: Final = None

USAGE: Shape = {
    "input_tokens": WHOLE,
    "output_tokens": WHOLE,
    "cache_creation_input_tokens": WHOLE,
    "cache_read_input_tokens": WHOLE,
    "output_tokens_details": {"thinking_tokens": WHOLE},
}

MESSAGE: Shape = {
    **dict.fromkeys(("id", "type", "role", "model", "content", "stop_reason", "stop_sequence")),
    "usage": USAGE,
}

STREAM_EVENT: Shape = {
    **dict.fromkeys(("type", "index", "content_block")),
    "message": MESSAGE,
    "delta": dict.fromkeys(("type", "text", "thinking", "signature", "partial_json", "stop_reason", "stop_sequence")),
    "usage": USAGE,
}

MODEL: Shape = dict.fromkeys(
    (
        "value",
        "resolvedModel",
        "displayName",
        "supportsEffort",
        "supportedEffortLevels",
        "supportsThinkingOff",
    )
)

KEPT: Mapping[str, Shape] = {
    "stream_event": {"type": WHOLE, "event": STREAM_EVENT, "parent_tool_use_id": WHOLE},
    "assistant": {
        **dict.fromkeys(("type", "parent_tool_use_id", "error", "api_error_status")),
        "message": MESSAGE,
    },
    "user": {"type": WHOLE, "message": {"role": WHOLE, "content": WHOLE}, "parent_tool_use_id": WHOLE},
    "result": {
        **dict.fromkeys(("type", "subtype", "is_error", "num_turns", "result", "stop_reason", "api_error_status")),
        **dict.fromkeys(("terminal_reason", "total_cost_usd", "errors")),
        "usage": USAGE,
    },
    "control_response": {
        "type": WHOLE,
        "response": {
            **dict.fromkeys(("subtype", "request_id", "error")),
            "response": {"claude_code_version": WHOLE, "models": MODEL},
        },
    },
    "control_request": {
        **dict.fromkeys(("type", "request_id")),
        "request": {
            **dict.fromkeys(("subtype", "server_name")),
            "message": {
                **dict.fromkeys(("jsonrpc", "id", "method")),
                "params": {"name": WHOLE, "arguments": WHOLE, "_meta": {"claudecode/toolUseId": WHOLE}},
            },
        },
    },
    "system": {
        **dict.fromkeys(("type", "subtype", "status", "model", "tools", "claude_code_version")),
        **dict.fromkeys(("attempt", "max_retries", "error_status", "error", "retry_delay_ms")),
    },
    "rate_limit_event": {
        "type": WHOLE,
        "rate_limit_info": dict.fromkeys(("status", "resetsAt", "rateLimitType")),
    },
}
"""By the type of a line; a line of another type keeps its type alone."""

PATTERNS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("jwt", re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*")),
    ("key", re.compile(r"\b(?:sk|pk|rk)-[\w-]{16,}|\b(?:cca|ghp|gho|ghs|glpat|xox[abpr]|hf)[-_][\w-]{16,}")),
    ("key", re.compile(r"\bA(?:KIA|SIA)[0-9A-Z]{16}\b|\bAIza[\w-]{30,}")),
    ("token", re.compile(r"(?i)(?<=bearer )[\w.~+/-]{16,}=*")),
    ("email", re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")),
    ("id", re.compile(r"(?i)\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")),
    ("id", re.compile(r"\b[0-9a-f]{64}\b")),
)
"""What looks like a secret or names a device, an account, a person."""

PATH = re.compile(r"(?<![\w:/])/(?:[\w.@-]+/)+[\w.@-]+")
"""A path on this machine, as stack traces on stderr are full of."""

COMMON_NAMES = frozenset({"root", "user", "admin", "test", "guest", "localhost", "runner"})
"""Names of users and hosts that say nothing of anybody, and are words besides."""

SHORTEST_NAME = 3


@frozen
class Literal:
    """A value to be hidden wherever it stands; a ``word`` only where it stands alone."""

    value: str
    placeholder: str
    word: bool = False


def named(value: str | None, placeholder: str) -> list[Literal]:
    """Return how to hide the name of a user or a host; nothing, for one that says nothing."""
    if value is None or len(value) < SHORTEST_NAME or value.lower() in COMMON_NAMES:
        return []
    return [Literal(value, placeholder, word=True)]


@define
class Redactor:
    """Redacts the parts of one recording, or of what is compared with one. Placeholders are numbered by appearance."""

    literals: Sequence[Literal] = ()
    _seen: dict[str, str] = field(factory=dict, init=False)
    _hidden: re.Pattern[str] | None = field(init=False)

    def __attrs_post_init__(self) -> None:
        longest_first = sorted((each for each in self.literals if each.value), key=lambda each: -len(each.value))
        rows = [
            rf"(?<!\w){re.escape(each.value)}(?!\w)" if each.word else re.escape(each.value) for each in longest_first
        ]
        self._hidden = re.compile("|".join(rows)) if rows else None

    def transcript(self, transcript: Transcript) -> Transcript:
        header = transcript.header
        request = self.value(header.request)
        entries = [self._entry(entry) for entry in transcript.entries]
        return Transcript(attrs.evolve(header, request=request), tuple(self._streams(entries)))

    def frame(self, frame: Json) -> Json:
        """Return a frame of ours. All its fields are kept: we made them."""
        return self.value(frame)

    def line(self, line: Mapping[str, Json]) -> Json:
        """Return a line of Claude Code's."""
        return self.value(_kept(line, KEPT.get(str(line.get("type")), {"type": WHOLE})))

    def value(self, value: Json) -> Json:
        """Return a JSON value with each of its texts redacted."""
        match value:
            case str():
                return self.text(value)
            case list() | tuple():
                return [self.value(item) for item in value]
            case dict():
                return {self.text(name): self.value(item) for name, item in value.items()}
            case _:
                return value

    def text(self, text: str) -> str:
        return _replaced(text, self._finds(text))

    def _entry(self, entry: Entry) -> Entry:
        match entry:
            case Written(at, frame):
                return Written(at, self.frame(frame))
            case Read(at, line):
                return Read(at, _kept(line, KEPT.get(str(line.get("type")), {"type": WHOLE})))
            case Garbled(at, text):
                return Garbled(at, self.text(PATH.sub("<path>", text)))
            case Ended(at, Exit(code, stderr)):
                return Ended(at, Exit(code, self.text(PATH.sub("<path>", stderr))))
            case _:
                return entry

    def _streams(self, entries: Sequence[Entry]) -> Iterator[Entry]:
        """Yield the entries, with the lines' texts redacted: pieces of one stream together, other lines each."""
        for key, group in groupby(enumerate(entries), lambda each: _piece_key(each[1]) or each[0]):
            run = [entry for _, entry in group]
            if isinstance(key, int):
                yield from (Read(e.at, self.value(e.line)) if isinstance(e, Read) else e for e in run)
            else:
                yield from self._pieces(key[1], run)

    def _pieces(self, name: str, run: Sequence[Entry]) -> Iterator[Entry]:
        reads = [entry for entry in run if isinstance(entry, Read)]
        pieces = [entry.line["event"]["delta"][name] for entry in reads]
        redacted = self._json(pieces) if name == "partial_json" else self._cut(pieces)
        for entry, piece in zip(reads, redacted, strict=True):
            event = entry.line["event"]
            delta = {**event["delta"], name: piece}
            yield Read(entry.at, {**entry.line, "event": {**event, "delta": delta}})

    def _cut(self, pieces: Sequence[str]) -> Iterator[str]:
        """Yield the pieces of a text that is redacted whole; a placeholder stands where its secret began."""
        finds = list(self._finds("".join(pieces)))
        start = 0
        for piece in pieces:
            end = start + len(piece)
            yield _replaced(
                piece,
                (_shift(find, start, len(piece)) for find in finds if find.start < end and find.end > start),
            )
            start = end

    def _json(self, pieces: Sequence[str]) -> Iterator[str]:
        """Yield the pieces of a JSON text; one with a secret, which escapes can hide, is all in its first piece."""
        whole = "".join(pieces)
        try:
            decoded = orjson.loads(whole)
        except orjson.JSONDecodeError:
            yield from self._cut(pieces)
            return
        redacted = self.value(decoded)
        if redacted == decoded:
            yield from pieces
        else:
            yield orjson.dumps(redacted).decode()
            yield from [""] * (len(pieces) - 1)

    def _finds(self, text: str) -> Iterator["Find"]:
        """Yield what to hide in ``text``, in order, without overlaps; the recorder's own names count first."""
        spans: list[Find] = []
        if self._hidden is not None:
            places = {each.value: each.placeholder for each in self.literals}
            spans += [Find(m.start(), m.end(), places[m[0]]) for m in self._hidden.finditer(text)]
        for kind, pattern in PATTERNS:
            for match in pattern.finditer(text):
                if not any(match.start() < span.end and match.end() > span.start for span in spans):
                    spans.append(Find(match.start(), match.end(), self._placeholder(kind, match[0])))
        return iter(sorted(spans, key=lambda span: span.start))

    def _placeholder(self, kind: str, secret: str) -> str:
        if secret not in self._seen:
            count = sum(placeholder.startswith(f"<{kind}-") for placeholder in self._seen.values())
            self._seen[secret] = f"<{kind}-{count + 1}>"
        return self._seen[secret]


@frozen
class Find:
    """A secret at ``start`` to ``end``, and what stands for it."""

    start: int
    end: int
    placeholder: str


def _shift(find: Find, start: int, size: int) -> Find:
    """Return a find as a piece at ``start`` sees it: what began before it has no placeholder here."""
    begins_here = find.start >= start
    return Find(max(find.start - start, 0), min(find.end - start, size), find.placeholder if begins_here else "")


def _replaced(text: str, finds: Iterable[Find]) -> str:
    parts: list[str] = []
    end = 0
    for find in finds:
        parts += [text[end : find.start], find.placeholder]
        end = find.end
    return "".join([*parts, text[end:]])


def _kept(value: Json, shape: Shape) -> Json:
    if shape is None:
        return value
    if isinstance(value, list):
        return [_kept(item, shape) for item in value]
    if isinstance(value, dict):
        return {name: _kept(item, shape[name]) for name, item in value.items() if name in shape}
    return value if value is None else None


def _piece_key(entry: Entry) -> tuple[int, str] | None:
    """Return which stream a line is a piece of: its block, and the field that holds the piece."""
    match entry:
        case Read(
            _,
            {
                "type": "stream_event",
                "event": {"type": "content_block_delta", "index": index, "delta": delta},
            },
        ):
            for name in ("text", "thinking", "partial_json"):
                if isinstance(delta.get(name), str):
                    return index, name
    return None


def header_of(cli: str, argv: Sequence[str], env: Iterable[str], request: Json) -> Header:
    """Return a header. Of the program's path only its name is kept."""
    program, *arguments = argv
    return Header(cli, (program.rsplit("/", 1)[-1], *arguments), tuple(sorted(env)), request)
