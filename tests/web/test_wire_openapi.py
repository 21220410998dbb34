"""What cca says of itself by OpenAPI: it is well formed, has each route, and is so.

Requests are made of the document, those that it allows and those that it does not, and each answer is held to it.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar, cast

import pytest
import requests
import schemathesis
from attrs import frozen
from claude_says import HELLO
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.transport import Response
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from test_wire_any_body import GOOD
from test_wire_keys import ROUTES
from trio.testing import MockClock
from wire_harness import CHAT, PORT, Client, chat, get, posted, raw, serving

from cca.web.app import PUBLIC, make_app
from cca.web.openapi import operations
from cca.web.openapi.document import description
from cca.wire import structure
from survival import Survival

T = TypeVar("T")

HONEST = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
"""What is held of each answer."""

DESCRIBED = schemathesis.openapi.from_dict(description())

OPERATIONS: list[Any] = [cast(Any, found).ok() for found in DESCRIBED.get_all_operations()]

TAKEN = {re.sub(r"<(\w+)>", r"{\1}", name): row.taken for name, row in operations.OPERATIONS.items()}
"""What is read of each body, by the operation's name."""


def endpoints() -> dict[str, Any]:
    """Return what the document says of each route, as the application names it."""
    return {
        f"{method.upper()} {path}".replace("{name}", "<path:name>").replace("{", "<").replace("}", ">"): operation
        for path, methods in description()["paths"].items()
        for method, operation in methods.items()
    }


def test_each_route_is_in_the_document_and_in_the_inventory() -> None:
    """S-07: a new route fails here until it is described, and so does one that is no more."""
    app = make_app(body_limit=1, body_timeout=1.0)
    assert {rule.endpoint for rule in app.url_map.iter_rules()} == set(endpoints()) == set(ROUTES)


def test_it_says_of_each_route_whether_it_needs_a_key() -> None:
    assert {name for name, operation in endpoints().items() if not operation["security"]} == {
        name for name, scope in ROUTES.items() if scope == PUBLIC
    }


def test_it_is_openapi() -> None:
    """By the schema that OpenAPI 3.1 has for itself; and all that is referred to is there, and nothing for nobody."""
    DESCRIBED.validate()
    names = [operation["operationId"] for operation in endpoints().values()]
    assert len(set(names)) == len(names)
    said = json.dumps(description())
    components = description()["components"]
    there = {f"#/components/{kind}/{name}" for kind in ("schemas", "responses", "headers") for name in components[kind]}
    assert set(re.findall(r'"\$ref": "([^"]+)"', said)) == there


async def test_it_is_served(autojump_clock: MockClock) -> None:
    async with serving() as server:
        reply = await server.ask(get("/openapi.json"))
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    assert reply.json == description()


STORED: Mapping[str, tuple[str, Any]] = {
    "/v1/chat/completions/": (CHAT, chat(store=True)),
    "/v1/responses/": ("/v1/responses", {"model": "sonnet", "input": "Hi"}),
    "/v1/conversations/": ("/v1/conversations", {"items": [{"role": "user", "content": "Hi"}]}),
}
"""What is under an id, by where it is, and the request that puts it there."""


async def filled(client: Client) -> Mapping[str, Mapping[str, str]]:
    """Put something under each kind of id there is, and return what then is in paths, by where they begin."""
    assert (await client.ask(posted(CHAT, chat(), "x-session-id: s1"))).status == 200
    known = {"/v1/sessions/": {"id": "s1"}, "/v1/models/": {"name": "sonnet"}}
    for where, (path, body) in STORED.items():
        known[where] = {"id": (await client.ask(posted(path, body))).json["id"]}
    items = await client.ask(get(f"/v1/conversations/{known['/v1/conversations/']['id']}/items"))
    known["/v1/conversations/"]["item"] = items.json["data"][0]["id"]
    return known


def in_path(operation: Any, known: Mapping[str, Mapping[str, str]]) -> Mapping[str, str]:
    """Return what is there, for the parameters in the path of an operation."""
    names = re.findall(r"{(\w+)}", operation.path)
    there = next((ids for where, ids in known.items() if operation.path.startswith(where)), {})
    return {name: there[name] for name in names}


async def check_honest(client: Client, case: Any, *more: Any) -> int:
    """Ask what a case is, hold the answer to what the document says of it, and return its status."""
    asked = requests.Request(**case.as_transport_kwargs(base_url=f"http://127.0.0.1:{PORT}")).prepare()
    body = cast(str | bytes, asked.body or b"")
    headers = [
        f"Host: 127.0.0.1:{PORT}",
        *(f"{name}: {value}" for name, value in cast(Mapping[str, str], asked.headers).items()),
    ]
    content = body.encode() if isinstance(body, str) else body
    reply = await client.ask(raw(str(asked.method), asked.path_url, *headers, body=content))
    told = {name: [value] for name, value in reply.headers.items()}
    answer = Response(reply.status, told, reply.body, asked, elapsed=0.0, verify=True)
    case.validate_response(answer, checks=[*HONEST, *more])
    return reply.status


async def test_whatever_is_good_is_answered_as_it_says(autojump_clock: MockClock) -> None:
    """Each good body, and each route without one, of what is there; what is deleted comes last."""
    statuses: Counter[int] = Counter()
    async with serving(*HELLO) as server:
        client = await server.connect()
        known = await filled(client)
        for operation in sorted(OPERATIONS, key=lambda each: each.method == "delete"):
            ids = in_path(operation, known)
            sample = operation.path.replace("responses/{id}", "responses/r1").replace("sessions/{id}", "sessions/s1")
            bodies = GOOD.get(sample.replace("{id}", "c1"), ()) if operation.method in ("post", "patch") else ()
            for body in bodies or (None,):
                given_body = {} if body is None else {"body": body, "media_type": "application/json"}
                case = operation.Case(path_parameters=ids, **given_body)
                statuses[await check_honest(client, case)] += 1
    assert statuses[200] >= 35


EACH = 20
"""Requests that a server answers before it is another one: some of them delete what is there."""

KINDS = {GenerationMode.POSITIVE: (), GenerationMode.NEGATIVE: (negative_data_rejection,)}
"""What the document allows, and what it does not, with what is held of the answers to these besides."""


@frozen
class Made:
    """A request, with what is held of its answer besides; of what is ``found`` there."""

    operation: Any
    case: Any
    checks: tuple[Any, ...] = ()
    found: bool = False


def made_of(operation: Any, mode: GenerationMode, number: int) -> list[Any]:
    """Return requests of one kind: the same in each run, and none where whatever is sent is fine."""
    found: list[Any] = []

    @settings(
        derandomize=True, max_examples=number, database=None, phases=[Phase.generate], deadline=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(operation.as_strategy(generation_mode=mode))
    def gather(case: Any) -> None:
        found.append(case)

    with suppress(Unsatisfiable):
        gather()
    return found


def whole_numbers(value: Any) -> Any:
    """Return JSON without the one thing that JSON Schema and cca see otherwise: to it, 1.0 is an integer, too."""
    match value:
        case float() if value.is_integer():
            return int(value)
        case list():
            return [whole_numbers(each) for each in value]
        case dict():
            return {name: whole_numbers(each) for name, each in value.items()}
        case _:
            return value


@pytest.mark.soak
def test_what_it_allows_is_read(survival: Survival) -> None:
    """S-16: so the schema of a body is no looser than the classes that it is made of. The other way is held below."""
    read = 0
    for operation in OPERATIONS:
        taken = TAKEN.get(f"{operation.method.upper()} {operation.path}")
        if taken is None:
            continue
        for case in made_of(operation, GenerationMode.POSITIVE, 200):
            # One that is optional may be left out.
            body = whole_numbers(case.body) if isinstance(case.body, dict) else {}
            unsaid = {name: "sonnet" for name in taken.without if body.get(name) is None}
            for fields in filter(None, (taken.fields, taken.also)):
                structure(fields.converter, {**body, **unsaid}, fields.kind)
                read += 1
    survival("S-16", "bodies that our OpenAPI document allows", tried=read, lost=0, figure="each was read")
    assert read >= 2000


def of_chance() -> Iterator[Made]:
    """Yield requests of each kind, half of those that are allowed for what is there."""
    for operation in OPERATIONS:
        for mode, checks in KINDS.items():
            for position, case in enumerate(made_of(operation, mode, 50)):
                yield Made(operation, case, checks, found=not checks and bool(position % 2))


def at_bounds() -> Iterator[Made]:
    """Yield requests at the bounds of what is allowed and just past them, and with methods that are none."""
    for operation in OPERATIONS:
        config = DESCRIBED.config.generation_for(operation=operation)
        for case in DESCRIBED.iter_coverage_cases(operation, generation_modes=[*KINDS], generation_config=config):
            yield Made(operation, case)


@pytest.mark.soak
@pytest.mark.parametrize(
    ("made", "what"),
    [
        pytest.param(of_chance, "requests made of our OpenAPI document, by chance", id="by chance"),
        pytest.param(at_bounds, "requests made of our OpenAPI document, at its bounds", id="at bounds"),
    ],
)
async def test_whatever_is_made_of_it_is_answered_as_it_says(
    made: Callable[[], Iterator[Made]], what: str, autojump_clock: MockClock, survival: Survival
) -> None:
    """S-16: what the document allows is answered as it says, what it does not is refused, and no fault is ours."""
    statuses: Counter[int] = Counter()
    rows = [*made()]
    try:
        for together in batched(rows, EACH):
            async with serving(*HELLO) as server:
                client = await server.connect()
                known = await filled(client)
                for row in together:
                    if row.found:
                        row.case.path_parameters = {**in_path(row.operation, known)}
                    statuses[await check_honest(client, row.case, *row.checks)] += 1
    finally:
        told = ", ".join(f"{status}: {number:,}" for status, number in sorted(statuses.items()))
        survival("S-16", what, tried=len(rows), lost=len(rows) - sum(statuses.values()), figure=told)
    assert len(rows) > 3000
    assert statuses[200] >= len(OPERATIONS)


def batched(rows: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Yield the rows, so many at a time. Python's own is there from 3.12 on."""
    yield from (rows[start : start + size] for start in range(0, len(rows), size))
