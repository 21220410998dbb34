"""What the scripted model was told to answer, and what is to go wrong on the way. Values only."""

from typing import Any, Literal, TypeAlias

from attrs import frozen

Json: TypeAlias = Any

StopReason: TypeAlias = str
"""Any word, so that a test may send one that no vendor has yet."""


@frozen
class Say:
    """Text, one delta for each element, and the API's objects of what it cites."""

    deltas: tuple[str, ...]
    citations: tuple[Json, ...] = ()

    @property
    def text(self) -> str:
        return "".join(self.deltas)


Shown: TypeAlias = Literal["told", "hidden", "redacted"]


@frozen
class Think:
    """Thinking. It is told, or only its signature is, or nobody can read it at all."""

    deltas: tuple[str, ...]
    shown: Shown = "told"

    @property
    def text(self) -> str:
        return "".join(self.deltas)


@frozen
class Call:
    name: str
    input: dict[str, Json]


Block: TypeAlias = Say | Think | Call


@frozen
class HttpError:
    """A JSON error with a status, before any byte of an answer. ``kind`` is the API's ``error.type``."""

    status: int
    kind: str
    message: str
    retry_after: float | None = None


@frozen
class CutOff:
    """The connection ends after so many deltas, without the chunk that would end the body."""

    after: int


@frozen
class Silence:
    """Nothing more is sent after so many deltas; ``None`` sends not even a status line."""

    after: int | None


@frozen
class StreamError:
    """An ``event: error`` after so many deltas, which ends the stream."""

    kind: str
    after: int


Fault: TypeAlias = HttpError | CutOff | Silence | StreamError


@frozen
class Script:
    """One answer. ``wait`` comes before the first event, ``delay`` before each delta; both are in seconds.

    A fault happens on the first ``fault_times`` attempts of a conversation, or on every one with ``None``.
    """

    blocks: tuple[Block, ...] = ()
    stop_reason: StopReason = "end_turn"
    stop_sequence: str | None = None
    category: str | None = None  # of a refusal
    wait: float = 0.0
    delay: float = 0.0
    cache_read: int = 0
    cache_created: int = 0
    fault: Fault | None = None
    fault_times: int | None = None

    def fault_at(self, attempt: int) -> Fault | None:
        """``attempt`` counts from 1."""
        if self.fault_times is not None and attempt > self.fault_times:
            return None
        return self.fault


ERROR_KINDS: dict[int, str] = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}

ERROR_MESSAGES: dict[str, str] = {
    "authentication_error": "invalid x-api-key",
    "rate_limit_error": "This request would exceed your account's rate limit. Please try again later.",
    "overloaded_error": "Overloaded",
    "api_error": "Internal server error",
    "timeout_error": "Request timed out",
}

FIRST_SERVER_ERROR = 500


def error_kind(status: int) -> str:
    unlisted = "api_error" if status >= FIRST_SERVER_ERROR else "invalid_request_error"
    return ERROR_KINDS.get(status, unlisted)


def http_error(status: int, retry_after: float | None = None) -> HttpError:
    kind = error_kind(status)
    return HttpError(status, kind, ERROR_MESSAGES.get(kind, f"Scripted error {status}"), retry_after)


def error_status(kind: str) -> int:
    """Give the status of an error that has no stream to be told in."""
    return {kind: status for status, kind in reversed(ERROR_KINDS.items())}.get(kind, 500)
