"""Whether a program behaves as cca needs it: it is started as cca starts it, on a model of cca's own."""

import math
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, nullcontext
from functools import partial
from pathlib import Path

import trio
from attrs import evolve

from cca.backends.live import NOWHERE, LiveBackend
from cca.claude.launch import Directories, Launch
from cca.doctor.canary import CANARY, faults, muted, trap
from cca.errors import CcaError, Unavailable, innermost
from cca.exchange import Deadlines, converse
from cca.model import Told
from cca.talk import talk_of

DEADLINES = Deadlines(first_event=20.0, silence=10.0, answer=30.0)
"""It takes a second; a first start on a cold disk takes ten."""

ROOM = "check"
"""The directory of what is started for this, within the server's own."""


async def check(live: LiveBackend) -> None:
    """Start once what ``live`` starts, on a model of our own, and look at what reaches that.

    Nobody's login is used. Raise ``Unavailable`` that says what is wrong; cancelling kills the process.
    """
    found = await misbehaviour(live)
    if found:
        raise Unavailable(
            f"{program(live)} cannot be trusted with prompts: {'; '.join(found)}. Name another version of Claude Code "
            "with --claude, or update cca. CCA_SELF_TEST=0 leaves out this check."
        )


async def misbehaviour(live: LiveBackend) -> Sequence[str]:
    """Return what is wrong, as ``check`` looks at it. Raise ``Unavailable`` for what cannot be started."""
    failure: CcaError | None = None
    try:
        return await _looked_at(live)
    except* CcaError as group:
        failure = innermost(group)
    raise failure


async def _looked_at(live: LiveBackend) -> Sequence[str]:
    # It is a server of its own, which takes a while to load.
    from cca.scripted import open_scripted_model  # noqa: PLC0415

    send, receive = trio.open_memory_channel[Told](math.inf)
    async with open_scripted_model() as model, _muted(live, model.base_url) as starter, starter.start() as process:
        canary = trio.Path(process.launch.env["TMPDIR"], "canary.txt")
        await canary.write_text(CANARY)
        conversation = trap(str(canary))
        await converse(nullcontext(talk_of(process, conversation, 0.0)), DEADLINES, send)
        requests = [each.body for each in model.received if each.path == "/v1/messages"]
    with receive:
        return list(faults(conversation, requests, [told.event async for told in receive]))


@asynccontextmanager
async def _muted(live: LiveBackend, base_url: str) -> AsyncIterator[LiveBackend]:
    """Own what starts the same program beside ``live``, on the model at ``base_url``."""

    def launcher(directories: Directories) -> Launch:
        return muted(live.launcher(directories), directories, base_url)

    room = live.directory / ROOM
    try:
        yield evolve(live, launcher=launcher, directory=room)
    finally:
        # Its processes have removed what is in it.
        await trio.to_thread.run_sync(partial(shutil.rmtree, room, ignore_errors=True), abandon_on_cancel=True)


def program(live: LiveBackend) -> str:
    """Return the path of what ``live`` starts."""
    return str(Path(live.launcher(NOWHERE).argv[0]))
