"""The names of functions: the client's, which may stand in a namespace, and the model's, which has none.

Codex sends each of its MCP servers as a tool of type ``namespace``, and finds the function of a call by both names.
"""

from collections.abc import Iterable, Mapping

from attrs import frozen

from cca.model import Json

SEPARATOR = "__"
"""Between a namespace and a name, unless the namespace ends with it, as Codex's ``mcp__server__`` does."""


@frozen
class Route:
    """A function's own name, and its namespace."""

    name: str
    namespace: str | None = None

    @property
    def flat(self) -> str:
        """The one name that the model knows it by."""
        if self.namespace is None:
            return self.name
        return f"{self.namespace.removesuffix(SEPARATOR)}{SEPARATOR}{self.name}"

    def named(self) -> Json:
        """Return the fields of a call that say whose it is."""
        return {"name": self.name} if self.namespace is None else {"name": self.name, "namespace": self.namespace}


def routes_of(tools: Iterable[Json]) -> Mapping[str, Route]:
    """Return the functions that stand in namespaces, of tools in the shape of a request, by their flat names."""
    routes = (
        Route(function["name"], tool["name"])
        for tool in tools
        if tool["type"] == "namespace"
        for function in tool["tools"]
    )
    return {route.flat: route for route in routes}
