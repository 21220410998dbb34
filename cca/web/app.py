"""The application and its routes."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import cast

from quart import Response, current_app, g, request
from quart.wrappers.base import BaseRequestWebsocket
from quart_trio import QuartTrio
from werkzeug.routing import MapAdapter

from cca.dialects import DIALECTS, anthropic_models
from cca.dialects.contract import Dialect
from cca.dialects.openai import model_object, models_list
from cca.keys import ADMIN
from cca.service import Service
from cca.version import VERSION
from cca.web import completions, conversations, cors, responses, sessions, usage
from cca.web.access import Caller, Door, admit, authorize, check_media_type
from cca.web.answer import answer
from cca.web.bodies import LARGEST, Bodies
from cca.web.body import as_json, has_body
from cca.web.credentials import credentials
from cca.web.ending import Ending
from cca.web.input_tokens import count_message, count_response
from cca.web.openapi.document import description
from cca.web.rate_headers import rate_headers
from cca.web.refusal import refuse
from cca.web.scope import NurseryRequest, RefusedWebsocket, RequestScope, request_noted
from cca.web.shapes import shape_of

_ANSWERING = frozenset(dialect.path for dialect in DIALECTS)

_SENDING = ("POST", "PATCH")
"""Whatever such a route does with a body: a web page sends none of this type without asking first."""

PUBLIC = ""
"""In place of a scope: such a route asks nobody for a key."""


class CcaApp(QuartTrio):
    """The ASGI application. ``service`` is there while it serves; ``scopes`` has the scope of each endpoint.

    ``bodies`` counts those of the requests that are not answered yet.
    """

    asgi_http_class = RequestScope
    asgi_websocket_class = RefusedWebsocket
    request_class = NurseryRequest
    service: Service
    ending: Ending
    bodies: Bodies
    scopes: dict[str, str]

    def request_id(self) -> str:
        return f"req_{self.service.new_id()}"

    def create_url_adapter(self, request: BaseRequestWebsocket | None) -> MapAdapter | None:
        """Find routes by path and method alone: Quart reads the Host before ``admit`` does, and some make it fail."""
        if request is None:
            return super().create_url_adapter(None)
        return self.url_map.bind("cca", path_info=request.path, default_method=request.method)


def make_app(*, body_limit: int, body_timeout: float) -> CcaApp:
    """Return the application, still without its service."""
    app = CcaApp("cca", static_folder=None)
    app.ending = Ending()
    app.bodies = Bodies(LARGEST * body_limit)
    app.scopes = {}
    # A path with a slash too many is no route, and no redirect: a POST would not survive that.
    app.url_map.merge_slashes = False
    app.config.update(
        MAX_CONTENT_LENGTH=body_limit,
        BODY_TIMEOUT=body_timeout,
        # Answers have deadlines of their own; this one would cut a stream in silence.
        RESPONSE_TIMEOUT=None,
        PROVIDE_AUTOMATIC_OPTIONS=False,
    )
    app.before_request(_admit)
    app.after_request(_identify)
    app.register_error_handler(Exception, refuse)
    for method, path, serve, scope in _ROUTES:
        _route(app, method, path, partial(_with_service, serve), scope)
    for dialect in DIALECTS:
        _route(app, "POST", dialect.path, partial(_answer, dialect), "chat")
    return app


def service_app(service: Service) -> CcaApp:
    """Return the application with its service."""
    app = make_app(body_limit=service.settings.body_limit, body_timeout=service.settings.body_timeout)
    app.service = service
    return app


def _app() -> CcaApp:
    return cast(CcaApp, current_app)


def _route(app: CcaApp, method: str, path: str, view: Callable[..., Awaitable[Response]], scope: str) -> None:
    endpoint = f"{method} {path}"
    app.scopes[endpoint] = scope
    app.add_url_rule(path, endpoint, view, methods=[method], provide_automatic_options=False)


async def _admit() -> Response | None:
    """Let a request in, or raise; or answer a browser that asks for its page whether it may.

    It is known where it comes from, then whose it is; then what it asks for counts.
    """
    app = _app()
    g.request_id = app.request_id()
    if request.url_rule is not None:
        request_noted().route = request.url_rule.rule
    keyring = app.service.keyring
    # Of a socket that is a file, a server may give the path, and no port.
    address, port = request.scope.get("server") or (None, None)
    caller = Caller(
        hosts=tuple(request.headers.getlist("Host")),
        origins=tuple(request.headers.getlist("Origin")),
        address=None if port is None else address,
        port=port,
        sites=tuple(request.headers.getlist("Sec-Fetch-Site")),
    )
    known = app.service.settings
    admit(caller, Door(keyring.exists, known.allowed_hosts, known.allowed_origins))
    if caller.origins:
        [origin] = caller.origins
        if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            # No key comes with it.
            return _preflight(origin)
        g.origin = origin
    scope = app.scopes.get(request.endpoint or "", ADMIN)
    if scope == PUBLIC:
        return None
    peer, _ = request.scope.get("client") or ("", None)
    g.principal = await keyring.authenticate(credentials(request.scope["headers"]), peer)
    request_noted().key = g.principal.key_id
    if request.endpoint:
        # Else it is no route, which is told to whoever has a key.
        authorize(g.principal, scope)
        if request.method in _SENDING and has_body():
            check_media_type(request.mimetype, request.headers.getlist("Content-Encoding"))
    return None


def _preflight(origin: str) -> Response:
    response = Response(b"", 204)
    del response.headers["content-type"], response.headers["content-length"]
    response.headers.update(cors.preflight(origin, request.headers.getlist("Access-Control-Request-Headers")))
    return response


async def _identify(response: Response) -> Response:
    # OpenAI's clients read the first, Anthropic's the second.
    response.headers["x-request-id"] = response.headers["request-id"] = g.request_id
    if _app().service.settings.allowed_origins:
        # Whether it is for a page or not: a cache is to tell them apart.
        response.headers.setdefault("vary", "origin")
    if "origin" in g:
        response.headers.update(cors.readable(g.origin))
    # Whoever was not let in is told nothing of it.
    if request.path in _ANSWERING and "principal" in g:
        service, principal = _app().service, g.principal
        standing = service.limiter.standing(principal.key_id, principal.limits)
        if standing is not None:
            response.headers.update(rate_headers(standing, service.now()))
    return response


async def _health(service: Service) -> Response:
    backend = service.backend
    return as_json({"status": "ok", "version": VERSION, "cli_version": backend.cli_version, "backend": backend.name})


async def _description(_: Service) -> Response:
    return as_json(description())


async def _models(service: Service) -> Response:
    catalogue = service.catalogue
    if _of_anthropics():
        return as_json(anthropic_models.models(catalogue, request.args))
    return as_json(models_list(catalogue.entries, catalogue.renamed))


async def _answer(dialect: Dialect) -> Response:
    app = _app()
    return await answer(app.service, dialect, app.ending)


async def _count_response(service: Service) -> Response:
    return await count_response(service, _app().ending)


async def _count_message(service: Service) -> Response:
    return await count_message(service, _app().ending)


async def _with_service(serve: Callable[..., Awaitable[Response]], **arguments: str) -> Response:
    return await serve(_app().service, **arguments)


async def _model(service: Service, name: str) -> Response:
    if _of_anthropics():
        return as_json(anthropic_models.model(service.catalogue, name))
    service.catalogue.resolve(name)
    return as_json(model_object(name))


def _of_anthropics() -> bool:
    """Tell whether a client of Anthropic's asks. Raise ``BadRequest`` for a version of its API that is none."""
    return shape_of(request.path, request.scope["headers"]).version is not None


_ROUTES: tuple[tuple[str, str, Callable[..., Awaitable[Response]], str], ...] = (
    ("GET", "/", _health, PUBLIC),
    ("GET", "/health", _health, PUBLIC),
    ("GET", "/openapi.json", _description, "chat"),
    ("GET", "/v1/models", _models, "chat"),
    ("GET", "/v1/models/<path:name>", _model, "chat"),
    ("POST", "/v1/responses/input_tokens", _count_response, "chat"),
    ("POST", "/v1/messages/count_tokens", _count_message, "chat"),
    ("GET", "/v1/sessions", sessions.list_sessions, "sessions"),
    ("GET", "/v1/sessions/<id>", sessions.get_session, "sessions"),
    ("PATCH", "/v1/sessions/<id>", sessions.change_session, "sessions"),
    ("DELETE", "/v1/sessions/<id>", sessions.delete_session, "sessions"),
    ("GET", "/v1/sessions/<id>/turns", sessions.list_turns, "sessions"),
    ("POST", "/v1/sessions/<id>/fork", sessions.fork_session, "sessions"),
    ("GET", "/v1/chat/completions", completions.list_completions, "chat"),
    ("GET", "/v1/chat/completions/<id>", completions.get_completion, "chat"),
    ("POST", "/v1/chat/completions/<id>", completions.change_completion, "chat"),
    ("DELETE", "/v1/chat/completions/<id>", completions.delete_completion, "chat"),
    ("GET", "/v1/chat/completions/<id>/messages", completions.list_messages, "chat"),
    ("GET", "/v1/responses/<id>", responses.get_response, "chat"),
    ("DELETE", "/v1/responses/<id>", responses.delete_response, "chat"),
    ("GET", "/v1/responses/<id>/input_items", responses.list_input_items, "chat"),
    ("POST", "/v1/responses/<id>/cancel", responses.cancel_response, "chat"),
    ("POST", "/v1/responses/compact", responses.compact, "chat"),
    ("POST", "/v1/conversations", conversations.create_conversation, "sessions"),
    ("GET", "/v1/conversations/<id>", conversations.get_conversation, "sessions"),
    ("POST", "/v1/conversations/<id>", conversations.change_conversation, "sessions"),
    ("DELETE", "/v1/conversations/<id>", conversations.delete_conversation, "sessions"),
    ("GET", "/v1/conversations/<id>/items", conversations.list_items, "sessions"),
    ("POST", "/v1/conversations/<id>/items", conversations.add_items, "sessions"),
    ("GET", "/v1/conversations/<id>/items/<item>", conversations.get_item, "sessions"),
    ("GET", "/v1/usage", usage.get_usage, "usage"),
)
"""The method, the path, what serves it, and the scope that a key needs for it."""
