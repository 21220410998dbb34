"""What of a conversation may be kept in a recording: fields by allow-list, texts without secrets.

Lines that Claude Code prints keep only the fields that ``kept.py`` lists. Texts, on either side, lose what looks like
a key, a token, an e-mail address or an id, and what the recorder names: values of credentials, paths, the user, the
host. Each becomes a placeholder, the same for the same secret.

A secret can be split over the pieces of a stream. So pieces are joined, redacted, and cut again where they were cut. It
can be hidden by the escapes of JSON in a text. So a text is searched as it stands, and as it reads with them undone.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import assert_never

import attrs
from attrs import define, field, frozen

from cca.backends import Exit
from cca.backends.kept import FIELD_NAMES, kept_line
from cca.backends.readings import readings
from cca.backends.transcript import Ended, Entry, Garbled, Header, Read, Transcript, Written
from cca.model import Json

NUMBERED: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("key", re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\w+/=\s]*(?:-----END [A-Z ]*PRIVATE KEY-----)?")),
    ("jwt", re.compile(r"\beyJ[\w-]{12,}(?:\.[\w-]+)*")),
    ("key", re.compile(r"\b(?:[srp]k[-_]|(?:cca|hf|r8|npm|gsk|whsec|shpat|dop_v1)_|(?:cca|pypi|xai|pplx)-)[\w-]{16,}")),
    ("key", re.compile(r"\b(?:gh[opsur]|github_pat|glpat|xapp|xox[a-z])[-_][\w-]{16,}")),
    ("key", re.compile(r"\bA(?:KIA|SIA)[0-9A-Z]{16}\b|\bAIza[\w-]{30,}|\bya29\.[\w-]{16,}|\bSG\.[\w-]{16,}[\w.-]*")),
    ("token", re.compile(r"(?i)(?<=bearer )[\w.~+/-]{16,}=*")),
    ("email", re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+")),
    ("id", re.compile(r"(?i)\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")),
    ("id", re.compile(r"\b[0-9a-f]{64}\b")),
)
"""What looks like a secret, or names a device, an account, a person. Each takes time in proportion to the text."""

PATH = re.compile(r"(?<![\w:/])/(?:[\w.@-]+/)+[\w.@-]+")
"""A path on this machine, as stack traces on stderr are full of."""

NUMBERED_PLACEHOLDER = re.compile(rf"<({'|'.join(sorted({kind for kind, _ in NUMBERED}))})-\d+>")

PIECES = ("text", "thinking", "partial_json")
"""The fields that hold the pieces of a stream."""

COMMON_NAMES = frozenset(
    (
        *("root", "user", "admin", "test", "guest", "runner", "node", "app", "nobody", "docker", "vagrant"),
        *("localhost", "host", "proxy", "gateway", "ubuntu", "debian", "ec2-user"),
        *("claude", "sonnet", "opus", "haiku"),
    )
)
"""Names of users and hosts that say nothing of anybody, and are words besides."""

SHORTEST_NAME = 3


@frozen
class Literal:
    """A value to be hidden wherever it stands; a ``word`` only where it stands alone, in upper or lower case."""

    value: str
    placeholder: str
    word: bool = False


def named(value: str | None, placeholder: str) -> list[Literal]:
    """Return how to hide the name of a user or a host; nothing, for one that says nothing."""
    if value is None or len(value) < SHORTEST_NAME or value.lower() in COMMON_NAMES | FIELD_NAMES:
        return []
    return [Literal(value, placeholder, word=True)]


@frozen
class Find:
    """What to hide at ``start`` to ``end``: a ``kind`` that is counted, or the placeholder itself."""

    start: int
    end: int
    kind: str
    secret: str


@define
class Redactor:
    """Redacts the parts of one recording, or of what is compared with one. Placeholders are numbered by appearance."""

    literals: Sequence[Literal] = ()
    _numbers: dict[str, str] = field(factory=dict, init=False)
    _rows: list[tuple[str, re.Pattern[str]]] = field(init=False)
    _placeholders: re.Pattern[str] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._rows = [(each.placeholder, _pattern(each)) for each in self.literals if each.value]
        fixed = {each.placeholder for each in self.literals} | {"<path>"}
        self._placeholders = re.compile("|".join([NUMBERED_PLACEHOLDER.pattern, *map(re.escape, sorted(fixed))]))

    def transcript(self, transcript: Transcript) -> Transcript:
        header = transcript.header
        header = attrs.evolve(
            header, argv=tuple(self.text(item) for item in header.argv), request=self.value(header.request)
        )
        pieces = self._streams(transcript.entries)
        entries = (self._entry(entry, pieces.get(at)) for at, entry in enumerate(transcript.entries))
        return Transcript(header, tuple(entries))

    def frame(self, frame: Json) -> Json:
        """Return a frame of ours. All its fields are kept: we made them."""
        return self.value(frame)

    def line(self, line: Mapping[str, Json]) -> Json:
        """Return a line of Claude Code's that is no piece of a stream."""
        return self.value(kept_line(line))

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
        return self._pieces([text], NUMBERED)[0]

    def _entry(self, entry: Entry, piece: str | None) -> Entry:
        match entry:
            case Written(at, frame):
                return Written(at, self.frame(frame))
            case Read(at, line) if piece is not None:
                return Read(at, _with_piece(self.line(_with_piece(line, "")), piece))
            case Read(at, line):
                return Read(at, self.line(line))
            case Garbled(at, text):
                return Garbled(at, self._trace(text))
            case Ended(at, Exit(code, stderr)):
                return Ended(at, Exit(code, self._trace(stderr)))
            case Ended():
                return entry
            case _:
                assert_never(entry)

    def _trace(self, text: str) -> str:
        """Return a text that nobody wrote for a conversation: paths are hidden too."""
        return self._pieces([text], (*NUMBERED, ("<path>", PATH)))[0]

    def _streams(self, entries: Sequence[Entry]) -> Mapping[int, str]:
        """Return the redacted pieces of all streams, each by the position of its entry."""
        streams: defaultdict[tuple[Json, ...], list[int]] = defaultdict(list)
        pieces: dict[int, str] = {}
        message = 0
        for position, entry in enumerate(entries):
            match entry:
                case Read(_, {"type": "stream_event", "event": {"type": "message_start"}}):
                    message += 1
                case Read(_, line) if (place := _piece_place(line)) is not None:
                    _, name = place
                    key = (message, str(line.get("parent_tool_use_id")), str(line["event"].get("index")), name)
                    streams[key].append(position)
                    pieces[position] = _piece(line)
                case _:
                    pass
        for positions in streams.values():
            redacted = self._pieces([pieces[position] for position in positions], NUMBERED)
            pieces.update(zip(positions, redacted, strict=True))
        return pieces

    def _pieces(self, pieces: Sequence[str], rows: Iterable[tuple[str, re.Pattern[str]]]) -> Sequence[str]:
        """Return the pieces of a text that is redacted whole; a placeholder stands where its secret began.

        What is redacted is searched again: without what stood before it, a text can read as a secret.
        """
        while finds := self._finds("".join(pieces), rows):
            placeholders = [self._placeholder(find) for find in finds]
            pieces = list(_cut(pieces, finds, placeholders))
        return pieces

    def _finds(self, text: str, rows: Iterable[tuple[str, re.Pattern[str]]]) -> list[Find]:
        """Return what to hide in ``text``, in order. Finds that overlap are one, of the longest's kind."""
        done = [match.span() for match in self._placeholders.finditer(text)]
        finds: list[Find] = []
        for find in sorted(_candidates(text, [*self._rows, *rows]), key=lambda find: (find.start, -find.end)):
            if any(start <= find.start and find.end <= end for start, end in done):
                continue
            if finds and find.start < finds[-1].end:
                finds[-1] = _united(finds[-1], find)
            else:
                finds.append(find)
        return finds

    def _placeholder(self, find: Find) -> str:
        if find.kind.startswith("<"):
            return find.kind
        if find.secret not in self._numbers:
            count = sum(placeholder.startswith(f"<{find.kind}-") for placeholder in self._numbers.values())
            self._numbers[find.secret] = f"<{find.kind}-{count + 1}>"
        return self._numbers[find.secret]


def _united(first: Find, second: Find) -> Find:
    longest = max(first, second, key=lambda find: find.end - find.start)
    return attrs.evolve(longest, start=first.start, end=max(first.end, second.end))


def _pattern(literal: Literal) -> re.Pattern[str]:
    value = re.escape(literal.value)
    return re.compile(rf"(?i)(?<!\w){value}(?!\w)" if literal.word else value)


def _candidates(text: str, rows: Sequence[tuple[str, re.Pattern[str]]]) -> Iterator[Find]:
    for reading, place in readings(text):
        for kind, pattern in rows:
            for match in pattern.finditer(reading):
                yield Find(place(match.start()), place(match.end()), kind, match[0])


def _cut(pieces: Sequence[str], finds: Sequence[Find], placeholders: Sequence[str]) -> Iterator[str]:
    """Yield ``pieces`` of a text with its finds replaced."""
    rest = list(zip(finds, placeholders, strict=True))
    start = 0
    for piece in pieces:
        end = start + len(piece)
        parts: list[str] = []
        kept = start
        while rest and rest[0][0].start < end:
            find, placeholder = rest[0]
            parts.append(piece[kept - start : max(find.start, kept) - start])
            # Only the piece in which the secret begins gets its placeholder.
            parts.append(placeholder if find.start >= start else "")
            kept = min(find.end, end)
            if find.end > end:
                break
            del rest[0]
        yield "".join([*parts, piece[kept - start :]])
        start = end


def _piece_place(line: Mapping[str, Json]) -> tuple[str, str] | None:
    """Return which object of a line's event, and which field of it, holds a piece of a stream."""
    match line:
        case {"type": "stream_event", "event": {"delta": dict(holder)}}:
            where = "delta"
        case {"type": "stream_event", "event": {"content_block": dict(holder)}}:
            where = "content_block"
        case _:
            return None
    return next(((where, name) for name in PIECES if isinstance(holder.get(name), str)), None)


def _piece(line: Mapping[str, Json]) -> str:
    place = _piece_place(line)
    assert place is not None
    where, name = place
    return str(line["event"][where][name])


def _with_piece(line: Mapping[str, Json], piece: str) -> Mapping[str, Json]:
    place = _piece_place(line)
    assert place is not None
    where, name = place
    event = line["event"]
    return {**line, "event": {**event, where: {**event[where], name: piece}}}


def header_of(cli: str, argv: Sequence[str], env: Iterable[str], request: Json) -> Header:
    """Return a header. Of the program's path only its name is kept."""
    program, *arguments = argv
    return Header(cli, (program.rsplit("/", 1)[-1], *arguments), tuple(sorted(env)), request)
