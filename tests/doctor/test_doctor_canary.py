"""What is wrong with a program, by what reached the model: pure, on values."""

from typing import Any

import pytest

from cca.claude.launch import Directories, Launch
from cca.doctor.canary import CANARY, faults, muted, trap
from cca.errors import UpstreamFailed
from cca.model import Event, Failed, Json, TextDelta

TRAP = trap("/tmp/canary.txt")  # noqa: S108 - a name, not a place
MENTION = "What is in @/tmp/canary.txt?"
LAST = "/cost @/tmp/canary.txt"
DIRECTORIES = Directories("/run/1/work", "/run/1/tmp", "/run/1/config")


def block(text: str) -> Json:
    return {"type": "text", "text": text}


SAID: list[Json] = [
    {"role": "user", "content": [block(MENTION)]},
    {"role": "system", "content": [block("# Environment")]},
    {"role": "assistant", "content": [block(MENTION)]},
    {"role": "user", "content": [block(LAST)]},
]

GOOD: dict[str, Json] = {"messages": SAID, "system": [block("a line"), block(MENTION)], "tools": [{"name": "Read"}]}

ANSWER = [TextDelta("/cost "), TextDelta("@/tmp/canary.txt")]


def found(*requests: Json, events: list[Event] | None = None) -> list[str]:
    return list(faults(TRAP, requests, ANSWER if events is None else events))


def test_nothing_is_wrong_with_one_that_passes_on_what_is_said() -> None:
    assert found(GOOD) == []


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        pytest.param({"messages": [*SAID, {"role": "user", "content": [block("x")]}]}, "as it was said", id="more"),
        pytest.param({"messages": SAID[:-1]}, "as it was said", id="less"),
        pytest.param({"messages": [*SAID[:-1], {"role": "user", "content": [{}]}]}, "as it was said", id="no text"),
        pytest.param({"system": [block("a line")]}, "the system prompt does not reach", id="no system prompt"),
        pytest.param({"tools": [{"name": "Bash"}]}, "these tools, and not the client's: Bash", id="a tool of its own"),
        pytest.param({"tools": []}, "these tools, and not the client's: none", id="no tools"),
    ],
)
def test_a_request_that_says_something_else(change: dict[str, Any], wrong: str) -> None:
    [fault] = found(GOOD | change)
    assert wrong in fault


def test_a_canary_anywhere() -> None:
    [fault] = found(GOOD | {"metadata": {"user_id": f"no {CANARY}"}})
    assert fault.startswith("it reads files that a prompt mentions")


@pytest.mark.parametrize(
    ("requests", "wrong"),
    [([], "it does not ask the model"), ([GOOD, GOOD], "it asks the model 2 times for one answer")],
    ids=["none", "two"],
)
def test_one_answer_is_one_request(requests: list[Json], wrong: str) -> None:
    assert found(*requests) == [wrong]


def test_an_answer_that_is_not_the_models() -> None:
    assert found(GOOD, events=[TextDelta("You owe nothing.")]) == ["its answer is not what the model says"]


def test_a_failure_says_itself() -> None:
    """A slash command is swallowed, and nothing asked."""
    events: list[Event] = [Failed(UpstreamFailed("Claude Code ended (exit code 1)."))]
    assert found(events=events) == [
        "it does not ask the model",
        "its answer is a failure: Claude Code ended (exit code 1).",
    ]


LOGIN = {"HOME": "/home/ann", "CLAUDE_CONFIG_DIR": "/home/ann/own", "HTTPS_PROXY": "http://proxy"}
KEY = {"HOME": "/home/ann", "ANTHROPIC_API_KEY": "sk-secret", "ANTHROPIC_BASE_URL": "https://other"}


@pytest.mark.parametrize(
    ("argv", "env", "credential"),
    [
        (("claude", "-p", "--bare"), KEY, "ANTHROPIC_API_KEY"),
        (("claude", "-p"), LOGIN, "CLAUDE_CODE_OAUTH_TOKEN"),
        (("claude", "-p"), {**LOGIN, "CLAUDE_CODE_OAUTH_TOKEN": "sk-secret"}, "CLAUDE_CODE_OAUTH_TOKEN"),
    ],
    ids=["key", "login", "token"],
)
def test_it_is_started_with_the_same_arguments_and_nobodys_login(
    argv: tuple[str, ...], env: dict[str, str], credential: str
) -> None:
    launch = muted(Launch(argv, env, "/run/1/work"), DIRECTORIES, "http://127.0.0.1:1")
    assert (launch.argv, launch.cwd) == (argv, "/run/1/work")
    assert launch.env == {
        "HOME": "/home/ann",
        "ANTHROPIC_BASE_URL": "http://127.0.0.1:1",
        "CLAUDE_CONFIG_DIR": "/run/1/config",
        credential: "any-key-for-the-scripted-model",
    }
