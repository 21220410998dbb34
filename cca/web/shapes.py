"""In the shape of whose API a request is answered, and of which version of it: what the request sent says so."""

from collections.abc import Callable, Iterable

from attrs import frozen

from cca.dialects.anthropic import refusal as anthropic_refusal
from cca.dialects.anthropic_version import VERSION_HEADER, version_of
from cca.dialects.openai import refusal as openai_refusal
from cca.errors import CcaError
from cca.model import Json

Refusal = Callable[[CcaError, str], tuple[int, Json]]

MESSAGES, MODELS = "/v1/messages", "/v1/models"


@frozen
class Shape:
    """Anthropic's, or else OpenAI's; ``versions`` are those of Anthropic's API that the request names."""

    anthropics: bool
    versions: tuple[str, ...] = ()

    @property
    def refusal(self) -> Refusal:
        """What tells an error."""
        return anthropic_refusal if self.anthropics else openai_refusal

    @property
    def version(self) -> str | None:
        """The version that is meant, where the API has versions. Raise ``BadRequest`` for one that is none."""
        return version_of(self.versions) if self.anthropics else None


def shape_of(path: str, headers: Iterable[tuple[bytes, bytes]], *, known: bool = True) -> Shape:
    """Return the shape of what is asked on ``path``: Anthropic's on its own routes, and else OpenAI's.

    A version of Anthropic's API counts where both have a route, and where the path is not ``known`` as one.
    """
    versions = tuple(value.decode("latin-1") for name, value in headers if name.lower() == VERSION_HEADER.encode())
    of_either = not known or _within(path, MODELS)
    return Shape(_within(path, MESSAGES) or (bool(versions) and of_either), versions)


def _within(path: str, route: str) -> bool:
    return path == route or path.startswith(f"{route}/")
