"""What can go wrong, for a caller. Each class has the HTTP status that it becomes; a dialect gives it a shape.

A message says what happened, where, and what to do, and holds nothing secret.
"""

from typing import ClassVar, TypeVar

from attrs import define

E = TypeVar("E", bound=BaseException)


@define(slots=False)
class CcaError(Exception):
    """Something that a client is told. ``retry_after`` is in seconds; ``param`` points into the body."""

    message: str
    param: str | None = None
    code: str | None = None
    retry_after: float | None = None

    status: ClassVar[int] = 500
    retryable: ClassVar[bool] = True

    def __str__(self) -> str:
        return self.message if self.param is None else f"{self.param}: {self.message}"


class BadRequest(CcaError):
    """The client must change its request. ``param`` is as in ``messages[2].content[0].text``."""

    status = 400
    retryable = False


class Unauthorized(CcaError):
    status = 401
    retryable = False


class Forbidden(CcaError):
    status = 403
    retryable = False


class NotFound(CcaError):
    status = 404
    retryable = False


class MethodNotAllowed(CcaError):
    status = 405
    retryable = False


class RequestTimedOut(CcaError):
    """The client's body did not arrive in time."""

    status = 408


class Conflict(CcaError):
    """Somebody else is changing the same thing."""

    status = 409


class TooLarge(CcaError):
    status = 413
    retryable = False


class UnsupportedMediaType(CcaError):
    status = 415
    retryable = False


class RateLimited(CcaError):
    status = 429


class TooManyTokens(RateLimited):
    """The request is larger than its limit: no waiting lets it in."""

    retryable = False


class InternalError(CcaError):
    """A fault of ours."""

    status = 500


class ModelApiFailed(CcaError):
    """The API behind Claude Code answered with a 500."""

    status = 500


class UpstreamFailed(CcaError):
    """Claude Code crashed, or said something that cannot be read, or could not reach its API."""

    status = 502


class Unheard(UpstreamFailed):
    """Claude Code ended before it said a word to its request: nothing was asked of the model, and another may do it."""


class NotUnderstood(UpstreamFailed):
    """Claude Code said something that this cca does not know. It would say it again, and be paid again."""

    retryable = False


class Unavailable(CcaError):
    """Claude Code is missing, or cannot be started."""

    status = 503


class DeadlineExceeded(CcaError):
    """Claude Code was silent for too long, or took too long."""

    status = 504


class Overloaded(CcaError):
    """The API behind Claude Code is overloaded."""

    status = 529


class Busy(CcaError):
    """cca itself is full: as many processes as it may have, and as many requests waiting."""

    status = 529


def innermost(group: BaseExceptionGroup[E]) -> E:
    """Return what a nursery's group is about: the one failure that its message is to tell."""
    first: E | BaseExceptionGroup[E] = group
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first
