"""The OpenAI and Anthropic HTTP APIs in front of Claude Code."""

from typing import TYPE_CHECKING

from cca.version import VERSION

if TYPE_CHECKING:
    from cca.settings import Settings
    from cca.web.app import CcaApp

__version__ = VERSION

__all__ = ["__version__", "create_app"]


def create_app(settings: "Settings | None" = None) -> "CcaApp":
    """Return the ASGI application that ``cca.asgi.create_app`` makes.

    It is loaded here, since most commands serve nothing and start twice as fast without. Hypercorn looks for a name of
    the module itself.
    """
    from cca.asgi import create_app as create  # noqa: PLC0415

    return create(settings)
