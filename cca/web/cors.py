"""What tells the browser of a page that is in the settings that the page may ask, and read.

There are no credentials of the browser's own in it: whoever asks sends a key. Source: the Fetch standard, "HTTP
extensions", and the headers that OpenAI's and Anthropic's JavaScript libraries send from a browser.
"""

from collections.abc import Iterable, Iterator, Mapping

METHODS = "GET, HEAD, POST, PATCH, DELETE"

SENT = frozenset(
    {
        *("authorization", "x-api-key", "content-type", "accept", "user-agent", "openai-organization"),
        *("openai-project", "openai-beta", "anthropic-version", "anthropic-beta", "x-session-id", "x-session-affinity"),
        *("anthropic-dangerous-direct-browser-access", "traceparent", "tracestate", "baggage"),
    }
)
"""Headers that a page may send. Firefox asks for the user agent, too, where a library names one."""

SENT_BY_LIBRARIES = "x-stainless-"
"""How those begin in which both vendors' libraries tell about themselves: there are more of them with the years."""

LIMITED = ("requests", "tokens")

READ = (
    *("request-id", "x-request-id", "retry-after", "x-should-retry", "x-cca-ignored", "x-cca-estimate", "x-session-id"),
    *(f"x-ratelimit-{what}-{name}" for what in ("limit", "remaining", "reset") for name in LIMITED),
    *(f"anthropic-ratelimit-{name}-{what}" for name in LIMITED for what in ("limit", "remaining", "reset")),
)
"""Headers of an answer that a page may read."""

SECONDS = 600
"""For which a browser need not ask again."""


def preflight(origin: str, wished: Iterable[str]) -> Mapping[str, str]:
    """Return the headers that answer whether a page may ask with the headers that it ``wished`` to send."""
    return {
        "access-control-allow-origin": origin,
        "access-control-allow-methods": METHODS,
        "access-control-allow-headers": ", ".join(sorted(set(_allowed(wished)))),
        "access-control-max-age": str(SECONDS),
        "vary": "origin, access-control-request-method, access-control-request-headers",
    }


def readable(origin: str) -> Mapping[str, str]:
    """Return the headers with which a page may read an answer."""
    return {"access-control-allow-origin": origin, "access-control-expose-headers": ", ".join(READ)}


def _allowed(wished: Iterable[str]) -> Iterator[str]:
    for name in (each.strip().lower() for header in wished for each in header.split(",")):
        if name in SENT or (name.startswith(SENT_BY_LIBRARIES) and name.replace("-", "").isalnum() and name.isascii()):
            yield name
