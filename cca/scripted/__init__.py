"""A scripted Messages API on loopback: what answers the Claude Code CLI when there is no account."""

from cca.scripted.directives import DIRECTIVES
from cca.scripted.ledger import Received
from cca.scripted.server import ScriptedModel, open_scripted_model

__all__ = ["DIRECTIVES", "Received", "ScriptedModel", "open_scripted_model"]
