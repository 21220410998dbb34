"""The OpenAI and Anthropic HTTP APIs in front of Claude Code."""

from cca.asgi import create_app
from cca.version import VERSION

__version__ = VERSION

__all__ = ["__version__", "create_app"]
