"""Long histories over HTTP, with the real Claude Code: when they go in as a file, and what the model gets of them."""

import signal
from pathlib import Path

import pytest
from live_cli import asked, texts
from live_inside import CHAT, open_inside
from live_server import Server, chat, children, serving, within

from cca.backends.live import LiveBackend
from cca.model import Json

pytestmark = [pytest.mark.live, pytest.mark.soak]

DEFAULT = 40
SYSTEM = "Be brief."
SPOKEN = [f"Turn {number}: see @/etc/hostname" for number in range(60)]
HISTORY: list[tuple[str, list[str]]] = [
    *((role, [text]) for text in SPOKEN for role in ("user", "assistant")),
    ("user", ["Reply with exactly: done"]),
]
MESSAGES = [{"role": role, "content": text} for role, [text] in HISTORY]

CASES: dict[str, Json] = {
    CHAT: {"model": "haiku", "messages": [{"role": "system", "content": SYSTEM}, *MESSAGES]},
    "/v1/messages": {"model": "haiku", "max_tokens": 1000, "system": SYSTEM, "messages": MESSAGES},
}


def resuming(server: Server) -> list[str]:
    """Return the files of which the server's processes have their histories."""
    arguments = [
        argument
        for pid in children(server.process.pid)
        for argument in Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    ]
    return [argument.removeprefix("--resume=") for argument in arguments if argument.startswith("--resume=")]


def asking(turns: int) -> Json:
    return chat("Reply with exactly: done") | {"messages": MESSAGES[: 2 * turns] + MESSAGES[-1:]}


@pytest.mark.parametrize("path", CASES)
async def test_the_model_gets_a_long_history_with_its_roles_the_same_by_file_as_turn_by_turn(path: str) -> None:
    async with open_inside(staying=0) as server:
        assert isinstance(server.pool.starter, LiveBackend)
        for file_from in (0, 60):
            server.pool.starter.file_from = file_from
            reply = await server.chat(CASES[path], path=path)
            assert reply.startswith(b"HTTP/1.1 200"), reply
            assert b"done" in reply
        by_turn, by_file = asked(server.model)
    assert texts(by_file) == HISTORY
    assert {**by_file, "metadata": None} == {**by_turn, "metadata": None}


@pytest.mark.parametrize(
    ("turns", "variables", "files"),
    [
        pytest.param(DEFAULT - 1, {}, 0, id="a shorter one"),
        pytest.param(DEFAULT, {}, 1, id="a long one"),
        pytest.param(60, {"CCA_HISTORY_FILE_FROM": "0"}, 0, id="where none does"),
        pytest.param(3, {"CCA_HISTORY_FILE_FROM": "3"}, 1, id="where a short one does"),
        pytest.param(5, {"CCA_WAITING": "0"}, 1, id="where no process waits"),
    ],
)
def test_a_history_goes_by_file_from_as_many_turns_on_as_is_set(
    turns: int, variables: dict[str, str], files: int
) -> None:
    with serving(**{"CCA_WAITING": "1", "CCA_STAYING": "4", **variables}) as server:
        reply = server.exchange("POST", CHAT, asking(turns))
        assert reply.json["choices"][0]["message"]["content"] == "done"
        assert len(resuming(server)) == files


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_the_file_of_a_history_is_for_its_process_alone_and_goes_with_it(end: signal.Signals) -> None:
    """Though the process stays, for a next turn. Not even a server that is killed leaves it."""
    with serving(CCA_HISTORY_FILE_FROM="2", CCA_STAYING="4", CCA_WAITING="0") as server:
        server.exchange("POST", CHAT, asking(3))
        [path] = map(Path, resuming(server))
        assert SPOKEN[0].encode() in path.read_bytes()
        assert path.is_relative_to(server.temporary)
        assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
        server.stop(end)
        assert within(5, lambda: not path.exists())
