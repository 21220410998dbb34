"""What two requests to the model's API have in common, and what only one process says. For the tests beside."""

from collections.abc import Mapping

from cca.model import Json
from cca.scripted import Received, ScriptedModel

OF_A_PROCESS = ("x-claude-code-session-id", "content-length", "host")
"""Headers that each process has of its own, or that follow from the rest."""


def received(model: ScriptedModel) -> list[Received]:
    """Return the requests for a message, oldest first."""
    return [each for each in model.received if each.path == "/v1/messages"]


def process_of(request: Received) -> Json:
    """Return what tells the process that sent ``request`` from any other."""
    return request.body["metadata"]["user_id"]


def substance(request: Received) -> Mapping[str, Json]:
    """Return all of a request but what each process has of its own."""
    body = {name: value for name, value in request.body.items() if name != "metadata"}
    headers = {name: value for name, value in request.headers.items() if name not in OF_A_PROCESS}
    return {**body, "headers": headers, "query": request.query}
