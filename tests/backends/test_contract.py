"""What every backend promises: a live process, a recorder around one, and the replay of what that recorder wrote."""

import json
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeAlias, TypeVar

import pytest
import trio
from fakes import CONVERSATION, SECONDS, Step, launching, nothing_left, open_backend, read_all, read_frame

from cca.backends import Backend, Exit, Process
from cca.backends.record import Recorder
from cca.backends.replay import open_replay
from cca.backends.telltales import Identity
from cca.claude import frames

T = TypeVar("T")
Client: TypeAlias = Callable[[Process], Awaitable[T]]

FRAME = frames.apply_settings("1", {"model": "haiku"})
LARGE_FRAME = frames.user([{"type": "text", "text": "x" * 2_000_000}], query=True)
SOON = 0.05
"""Seconds: long enough for a fake that would answer to have answered."""

LINES = [
    {"type": "result", "is_error": False, "result": 'é \u2028 \ufeff 🎈 \x00 \x1f \\ / " \n'},
    {"type": "result", "is_error": False, "total_cost_usd": 0.1, "num_turns": 12345678901234567},
    {"type": "some_type_of_a_later_version"},
    {"type": "stream_event", "event": {"type": "content_block_delta", "index": 0, "delta": {"text": "a"}}},
]
PRINTED = [json.dumps(line, ensure_ascii=False, separators=(",", ":")) for line in LINES]


async def hold(backend: Backend, client: Client[T]) -> T:
    with trio.fail_after(SECONDS):
        async with backend.open(CONVERSATION) as process:
            return await client(process)


async def to_its_end(process: Process) -> bytes:
    """Return all of its stdout, and ask how it ended, as the exchange does: a recording tells what was asked."""
    printed = await read_all(process)
    await process.wait()
    return printed


@asynccontextmanager
async def recorder(tmp_path: Path, steps: tuple[Step, ...]) -> AsyncIterator[Recorder]:
    async with open_backend(tmp_path / "run", launching(*steps)) as live:
        yield Recorder(live, tmp_path / "recordings", Identity(None, None))


async def live(tmp_path: Path, steps: tuple[Step, ...], client: Client[T]) -> T:
    with nothing_left(tmp_path / "run"):
        async with open_backend(tmp_path / "run", launching(*steps)) as backend:
            return await hold(backend, client)


async def recorded(tmp_path: Path, steps: tuple[Step, ...], client: Client[T]) -> T:
    with nothing_left(tmp_path / "run"):
        async with recorder(tmp_path, steps) as backend:
            return await hold(backend, client)


async def replayed(tmp_path: Path, steps: tuple[Step, ...], client: Client[T]) -> T:
    await recorded(tmp_path, steps, client)
    return await hold(await open_replay(tmp_path / "recordings"), client)


Run: TypeAlias = Callable[[Path, tuple[Step, ...], Client[T]], Awaitable[T]]
backends = pytest.mark.parametrize("run", [live, recorded, replayed])


@backends
async def test_lines_come_back_byte_for_byte(tmp_path: Path, run: Run[bytes]) -> None:
    steps = tuple(("print", line) for line in PRINTED)
    assert await run(tmp_path, steps, to_its_end) == "".join(f"{line}\n" for line in PRINTED).encode()


@backends
async def test_a_frame_arrives_and_is_answered(tmp_path: Path, run: Run[str]) -> None:
    async def client(process: Process) -> str:
        said = []
        for _ in range(2):
            process.write(FRAME)
            said.append((await read_frame(process))["result"])
        return "".join(said)

    assert await run(tmp_path, (("echo",), ("echo",)), client) == FRAME.decode() * 2


@backends
async def test_frames_written_at_once_arrive_in_order(tmp_path: Path, run: Run[bytes]) -> None:
    async def client(process: Process) -> bytes:
        process.write(FRAME + LARGE_FRAME)
        process.write(FRAME)
        return await to_its_end(process)

    printed = await run(tmp_path, (("frame",), ("frame",), ("echo",)), client)
    assert json.loads(printed)["result"] == FRAME.decode()


@backends
@pytest.mark.parametrize(
    ("steps", "how"),
    [
        pytest.param((), Exit(0), id="exit-0"),
        pytest.param((("exit", 3),), Exit(3), id="exit-3"),
        pytest.param((("die", signal.SIGKILL),), Exit(-signal.SIGKILL), id="SIGKILL"),
        pytest.param((("stderr", "oops\n"), ("exit", 1)), Exit(1, "oops\n"), id="stderr"),
    ],
)
async def test_its_end_is_told(
    tmp_path: Path, run: Run[tuple[bytes, Exit]], steps: tuple[Step, ...], how: Exit
) -> None:
    async def client(process: Process) -> tuple[bytes, Exit]:
        return await read_all(process), await process.wait()

    printed, ended = await run(tmp_path, (("print", PRINTED[0]), *steps), client)
    assert (printed.decode(), ended) == (f"{PRINTED[0]}\n", how)


@backends
async def test_the_end_of_its_output_is_there_for_good(tmp_path: Path, run: Run[list[bytes]]) -> None:
    async def client(process: Process) -> list[bytes]:
        await to_its_end(process)
        return [await process.read(), await process.read()]

    assert await run(tmp_path, (("print", PRINTED[0]),), client) == [b"", b""]


@backends
async def test_a_frame_for_a_dead_process_is_dropped(tmp_path: Path, run: Run[bytes]) -> None:
    async def client(process: Process) -> bytes:
        await process.wait()
        process.write(LARGE_FRAME)
        await trio.sleep(SOON)
        process.write(FRAME)
        return await to_its_end(process)

    assert await run(tmp_path, (("exit", 0),), client) == b""


@backends
async def test_cancelling_a_read_loses_nothing(tmp_path: Path, run: Run[bytes]) -> None:
    async def client(process: Process) -> bytes:
        with trio.move_on_after(SOON) as waiting:
            await process.read()
        assert waiting.cancelled_caught
        process.write(FRAME)
        return await to_its_end(process)

    assert json.loads(await run(tmp_path, (("echo",),), client))["result"] == FRAME.decode()


@backends
@pytest.mark.parametrize("steps", [(("hang",),), (("stay",), ("hang",)), (("close",), ("hang",))], ids=str)
async def test_leaving_ends_a_process_that_does_nothing(
    tmp_path: Path, run: Run[None], steps: tuple[Step, ...]
) -> None:
    async def client(process: Process) -> None:
        with trio.move_on_after(SOON):
            await process.wait()

    await run(tmp_path, steps, client)


@backends
async def test_leaving_while_two_megabytes_wait_to_be_written(tmp_path: Path, run: Run[None]) -> None:
    async def client(process: Process) -> None:
        process.write(LARGE_FRAME)
        await trio.sleep(SOON)

    await run(tmp_path, (("hang",),), client)


@backends
async def test_two_megabytes_each_way_at_once(tmp_path: Path, run: Run[int]) -> None:
    async def client(process: Process) -> int:
        process.write(LARGE_FRAME)
        return len(await to_its_end(process))

    steps = (("huge", 2_000_000), ("print", ""), ("frame",), ("print", PRINTED[0]))
    assert await run(tmp_path, steps, client) == 2_000_000 + len(f"\n{PRINTED[0]}\n".encode())


@pytest.mark.parametrize("run", [live, recorded])
async def test_what_a_client_does_wrong_reaches_it_and_the_process_is_gone(tmp_path: Path, run: Run[None]) -> None:
    async def client(process: Process) -> None:
        raise LookupError("of the client")

    with pytest.RaisesGroup(pytest.RaisesExc(LookupError, match="of the client"), flatten_subgroups=True):
        await run(tmp_path, (("hang",),), client)
