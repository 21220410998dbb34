"""The scripted Messages API as a Quart-Trio application."""

import json
from collections.abc import AsyncIterator
from contextlib import nullcontext

import trio
from attrs import evolve
from hypercorn.typing import ASGISendCallable, ASGISendEvent
from quart import Request, Response, g, request
from quart_trio import QuartTrio
from quart_trio.asgi import TrioASGIHTTPConnection
from werkzeug.exceptions import HTTPException

from cca.scripted.checks import refusal
from cca.scripted.ledger import Answering, Ledger, Received, without_credentials
from cca.scripted.prompt import count_input, fingerprint
from cca.scripted.rules import script_for
from cca.scripted.script import (
    CutOff,
    Fault,
    HttpError,
    Json,
    Script,
    Silence,
    StreamError,
    error_kind,
    error_status,
    http_error,
)
from cca.scripted.stream import (
    Hang,
    HangUp,
    Heading,
    Pause,
    Send,
    error_body,
    frame,
    message,
    steps,
    vendor_id,
)

MODELS = ("claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-4-5")
MESSAGES = "/v1/messages"
LAST_PART_SECONDS = 5.0  # one chunk, to loopback


class HangUpError(Exception):
    """Ends the connection under an answer that is not over."""


class ScriptedConnection(TrioASGIHTTPConnection):
    """One request, counted in the ledger for as long as it is being answered."""

    app: "ScriptedApp"

    async def handle_request(  # type: ignore[override]
        self, nursery: trio.Nursery, request: Request, send: ASGISendCallable
    ) -> None:
        counted = self.app.ledger.answering() if request.path == MESSAGES else nullcontext(Answering())
        with counted as answering:

            async def send_shielded(event: ASGISendEvent) -> None:
                # Hypercorn reports a disconnect once it has the last part, on which Quart-Trio cancels.
                last = event["type"] == "http.response.body" and not event.get("more_body")
                deadline = trio.current_time() + LAST_PART_SECONDS if last else float("inf")
                with trio.CancelScope(shield=last, deadline=deadline):
                    await send(event)
                answering.over |= last

            try:
                await super().handle_request(nursery, request, send_shielded)
            except HangUpError:
                # Without a last part Hypercorn closes the connection, and says nothing of it.
                answering.over = True
                nursery.cancel_scope.cancel()


class ScriptedApp(QuartTrio):
    asgi_http_class = ScriptedConnection

    def __init__(self, ledger: Ledger) -> None:
        super().__init__("cca.scripted", static_folder=None)
        self.ledger = ledger
        self.config.update(MAX_CONTENT_LENGTH=None, BODY_TIMEOUT=None, RESPONSE_TIMEOUT=None)
        self.before_request(self.admit)
        self.after_request(_identified)
        self.register_error_handler(HTTPException, _http_failure)
        self.add_url_rule("/", view_func=root)
        self.add_url_rule("/v1/models", view_func=models)
        self.add_url_rule("/v1/models/<path:name>", view_func=model)
        self.add_url_rule(MESSAGES, view_func=self.messages, methods=["POST"])
        self.add_url_rule(f"{MESSAGES}/count_tokens", view_func=count_tokens, methods=["POST"])

    async def admit(self) -> Response | None:
        """Note the request, and refuse it when it has no credential or a body that is not JSON."""
        raw = await request.data
        body, is_json = _decoded(raw)
        query = request.query_string.decode("latin1")
        headers = without_credentials((k.decode(), v.decode("latin1")) for k, v in request.scope["headers"])
        number = self.ledger.note(Received(request.method, request.path, query, headers, body))
        g.request_id, g.body = vendor_id("req", number), body
        if request.path != "/" and not _has_credential():
            return _failure(evolve(http_error(401), message="x-api-key header is required"))
        return None if is_json else _failure(_bad_request("The request body is not valid JSON."))

    async def messages(self) -> Response:
        if refused := refusal(g.body):
            return _failure(refused)
        conversation = fingerprint(g.body)
        attempt = self.ledger.attempt(conversation)
        script = script_for(g.body)
        heading = Heading(g.body["model"], f"{conversation}/{attempt}", count_input(g.body))
        answer = _streamed if g.body.get("stream") else _whole
        return await answer(script, heading, script.fault_at(attempt))


async def _streamed(script: Script, heading: Heading, fault: Fault | None) -> Response:
    match fault:
        case HttpError():
            await trio.sleep(script.wait)
            return _failure(fault)
        case Silence(after=None):
            await trio.sleep_forever()
    body = _played(script, heading, fault)
    return Response(body, content_type="text/event-stream; charset=utf-8", headers={"cache-control": "no-cache"})


async def _played(script: Script, heading: Heading, fault: Fault | None) -> AsyncIterator[bytes]:
    for step in steps(script, heading, fault):
        match step:
            case Send(event):
                yield frame(event)
            case Pause(seconds):
                await trio.sleep(seconds)
            case HangUp():
                raise HangUpError
            case Hang():
                await trio.sleep_forever()


async def _whole(script: Script, heading: Heading, fault: Fault | None) -> Response:
    """Answer with one message, after the time that its stream would take. Faults keep their kind."""
    await trio.sleep(script.wait + script.delay * sum(1 for _ in steps(script, heading)))
    match fault:
        case HttpError():
            return _failure(fault)
        case Silence():
            await trio.sleep_forever()
        case StreamError(kind=kind):
            return _failure(evolve(http_error(error_status(kind)), kind=kind))
    text = json.dumps(message(script, heading), ensure_ascii=False)
    if isinstance(fault, CutOff):
        return Response(_broken_off(text[: len(text) // 2].encode()), content_type="application/json")
    return _json(json.loads(text))


async def _broken_off(part: bytes) -> AsyncIterator[bytes]:
    yield part
    raise HangUpError


async def root() -> Response:
    return _json({"service": "cca.scripted"})


async def models() -> Response:
    listed = [_model(name) for name in MODELS]
    return _json({"data": listed, "has_more": False, "first_id": MODELS[0], "last_id": MODELS[-1]})


async def model(name: str) -> Response:
    if not name.startswith("claude"):
        return _failure(HttpError(404, error_kind(404), f"model: {name}"))
    return _json(_model(name))


async def count_tokens() -> Response:
    # A count has no answer to bound, so it needs no max_tokens.
    asked = {"max_tokens": 1} | g.body if isinstance(g.body, dict) else g.body
    refused = refusal(asked)
    return _failure(refused) if refused else _json({"input_tokens": count_input(asked)})


def _model(name: str) -> Json:
    return {"type": "model", "id": name, "display_name": name, "created_at": "2025-01-01T00:00:00Z"}


def _decoded(raw: bytes) -> tuple[Json, bool]:
    if not raw:
        return None, request.method in {"GET", "HEAD"}
    try:
        return json.loads(raw), True
    except (ValueError, RecursionError):
        return None, False


def _has_credential() -> bool:
    bearer = request.headers.get("authorization", "").removeprefix("Bearer").strip()
    return bool(bearer or request.headers.get("x-api-key", "").strip())


def _bad_request(told: str) -> HttpError:
    return HttpError(400, error_kind(400), told)


def _json(value: Json, status: int = 200) -> Response:
    return Response(json.dumps(value), status, content_type="application/json")


def _failure(error: HttpError) -> Response:
    response = _json(error_body(error.kind, error.message, g.get("request_id")), error.status)
    if error.retry_after is not None:
        response.headers["retry-after"] = f"{error.retry_after:g}"
    return response


async def _http_failure(error: Exception) -> Response:
    status = error.code if isinstance(error, HTTPException) and error.code else 500
    return _failure(HttpError(status, error_kind(status), str(error)))


async def _identified(response: Response) -> Response:
    response.headers["request-id"] = g.get("request_id", "")
    return response
