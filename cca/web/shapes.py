"""In the shape of which API an error is told: that of the client that asks, as far as what it sent says so."""

from collections.abc import Callable

from cca.dialects.anthropic import refusal as anthropic_refusal
from cca.dialects.openai import refusal as openai_refusal
from cca.errors import CcaError
from cca.model import Json

Refusal = Callable[[CcaError, str], tuple[int, Json]]

MESSAGES, MODELS = "/v1/messages", "/v1/models"


def refusal_of(path: str, *, versioned: bool, known: bool) -> Refusal:
    """Return what tells an error on ``path``: as Anthropic's API does on its own routes, and else as OpenAI's.

    A request is ``versioned`` if it names a version of Anthropic's API. That counts where both have a route, and where
    the path is not ``known`` as one.
    """
    of_either = not known or _within(path, MODELS)
    return anthropic_refusal if is_messages(path) or (versioned and of_either) else openai_refusal


def is_messages(path: str) -> bool:
    """Tell whether a path is one of Anthropic's Messages API."""
    return _within(path, MESSAGES)


def _within(path: str, route: str) -> bool:
    return path == route or path.startswith(f"{route}/")
