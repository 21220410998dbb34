"""``cca serve --offline`` asked by openai-python: its answers, and its exceptions."""

from collections.abc import Iterator

import pytest
from live_server import Server, serving

pytest.importorskip("openai", reason="nox -s clients installs it")

import openai
from openai.types.chat import ChatCompletionMessageParam

pytestmark = [pytest.mark.live, pytest.mark.clients]

MODEL = "gpt-3.5-turbo"

STATUSES = [
    ("[[error 400]]", 400, openai.BadRequestError),
    ("[[error 401]]", 401, openai.AuthenticationError),
    ("[[error 403]]", 401, openai.AuthenticationError),
    ("[[error 404]]", 404, openai.NotFoundError),
    ("[[error 413]]", 413, openai.APIStatusError),
    ("[[error 429 retry-after 7]]", 429, openai.RateLimitError),
    ("[[error 500]]", 500, openai.InternalServerError),
    ("[[error 529]]", 503, openai.InternalServerError),
    ("[[cut]]", 502, openai.InternalServerError),
]

TALK: list[ChatCompletionMessageParam] = [
    {"role": "system", "content": "Be terse."},
    {"role": "user", "content": "one"},
    {"role": "assistant", "content": "two"},
    {"role": "user", "content": "Reply with exactly: three"},
]

MODES = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


@pytest.fixture(scope="module")
def client() -> Iterator[openai.OpenAI]:
    with serving(CCA_RETRIES="1") as server, asking(server) as client:
        yield client


@pytest.fixture(scope="module")
def hasty_client() -> Iterator[openai.OpenAI]:
    """Ask a server that waits for little."""
    with serving(CCA_FIRST_EVENT_TIMEOUT="2.5", CCA_HEARTBEAT="0.3") as server, asking(server) as client:
        yield client


def asking(server: Server) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{server.address}/v1", api_key="any", max_retries=0, timeout=20)


def user(text: str) -> list[ChatCompletionMessageParam]:
    return [{"role": "user", "content": text}]


def ask(client: openai.OpenAI, text: str, *, stream: bool) -> str:
    """Return the text of an answer. Raise what the client raises."""
    if not stream:
        answer = client.chat.completions.create(model=MODEL, messages=user(text))
        return answer.choices[0].message.content or ""
    chunks = client.chat.completions.create(model=MODEL, messages=user(text), stream=True)
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks)


@MODES
def test_an_answer(client: openai.OpenAI, stream: bool) -> None:  # noqa: FBT001
    assert ask(client, "Reply with exactly: hello there", stream=stream) == "hello there"


def test_the_usage_of_a_stream_comes_last(client: openai.OpenAI) -> None:
    chunks = list(
        client.chat.completions.create(
            model=MODEL, messages=user("a b c"), stream=True, stream_options={"include_usage": True}
        )
    )
    assert [chunk.usage is not None for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 3


def test_the_clients_own_gathering_of_a_stream(client: openai.OpenAI) -> None:
    with client.chat.completions.stream(model=MODEL, messages=user("Count from 1 to 3")) as stream:
        gathered = stream.get_final_completion()
    assert gathered.choices[0].message.content == "1, 2, 3"
    assert gathered.choices[0].message.role == "assistant"
    assert gathered.choices[0].finish_reason == "stop"


def test_several_turns_and_a_system_prompt(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model="claude-haiku-5-5", messages=TALK, max_tokens=50, stop=["four"])
    assert answer.choices[0].message.content == "three"
    assert answer.usage is not None
    assert answer.usage.prompt_tokens == 8


def test_sampling_that_claude_cannot_do_is_named(client: openai.OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(model=MODEL, messages=user("hi"), temperature=0.2, seed=1)
    assert raw.headers["x-cca-ignored"] == "seed, temperature"


def test_the_models(client: openai.OpenAI) -> None:
    assert "claude-sonnet-5-5" in [model.id for model in client.models.list()]
    assert client.models.retrieve("gpt-4o").id == "gpt-4o"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("llama-3")


@MODES
@pytest.mark.parametrize(("asked", "status", "kind"), STATUSES, ids=[row[0] for row in STATUSES])
def test_what_goes_wrong_before_the_answer_is_its_own_exception(
    client: openai.OpenAI,
    asked: str,
    status: int,
    kind: type[openai.APIStatusError],
    stream: bool,  # noqa: FBT001
) -> None:
    with pytest.raises(kind) as raised:
        ask(client, asked, stream=stream)
    assert raised.value.status_code == status
    assert raised.value.request_id is not None
    assert raised.value.message
    assert raised.value.response.json()["error"].keys() == {"message", "type", "param", "code"}
    assert ("x-should-retry" in raised.value.response.headers) == (status < 429)


def test_a_rate_limit_says_when_to_come_back(client: openai.OpenAI) -> None:
    with pytest.raises(openai.RateLimitError) as raised:
        ask(client, "[[error 429 retry-after 7]]", stream=False)
    assert 7 <= int(raised.value.response.headers["retry-after"]) <= 10


@pytest.mark.parametrize("fault", ["[[cut after 2]]", "[[error mid-stream overloaded_error after 2]]"])
def test_an_answer_that_breaks_off_ends_with_an_exception(client: openai.OpenAI, fault: str) -> None:
    heard = []
    chunks = client.chat.completions.create(model=MODEL, messages=user(f"{fault} one two three"), stream=True)
    with pytest.raises(openai.APIError) as raised:
        heard += [chunk.choices[0].delta.content for chunk in chunks]
    assert raised.value.type == "server_error"
    with pytest.raises(openai.InternalServerError):
        ask(client, f"{fault} one two three", stream=False)


@MODES
def test_silence_before_the_answer_is_a_504(hasty_client: openai.OpenAI, stream: bool) -> None:  # noqa: FBT001
    with pytest.raises(openai.InternalServerError) as raised:
        ask(hasty_client, "[[silent]]", stream=stream)
    assert raised.value.status_code == 504


def test_silence_in_an_answer_is_an_exception_too() -> None:
    """However long its beginning takes, on a machine with much to do."""
    with serving(CCA_SILENCE_TIMEOUT="1") as server, asking(server) as client:
        with pytest.raises(openai.APIError) as raised:
            ask(client, "[[silent after 2]] one two three", stream=True)
        with pytest.raises(openai.InternalServerError) as whole:
            ask(client, "[[silent after 2]] one two three", stream=False)
    assert "silent" in raised.value.message
    assert whole.value.status_code == 504


async def test_the_asynchronous_client_on_trio(client: openai.OpenAI) -> None:
    base_url = str(client.base_url)
    async with openai.AsyncOpenAI(base_url=base_url, api_key="any", max_retries=0, timeout=20) as asynchronous:
        answer = await asynchronous.chat.completions.create(model=MODEL, messages=user("a b c"))
        assert answer.choices[0].message.content == "a b c"
