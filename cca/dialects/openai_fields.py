"""Fields that OpenAI's APIs share."""

from collections.abc import Iterator

from attrs import frozen

from cca.wire import Body

LOGPROBS = "Claude does not give log probabilities; leave it out."


@frozen(kw_only=True)
class TextPart(Body):
    type: str
    text: str


@frozen(kw_only=True)
class RefusalPart(Body):
    type: str
    refusal: str


@frozen(kw_only=True)
class StreamOptions(Body):
    """What the older APIs let a request say of its stream."""

    include_usage: bool | None = None


def unheard_options(options: StreamOptions | None) -> Iterator[str]:
    """Yield what has no effect of the options of a stream."""
    yield from (f"stream_options.{name}" for name in (options.extra if options else ()))
