"""Whether the program that is there now may be used: what took the place of another is looked at before it is.

Claude Code updates itself: under a server that runs on, its file changes, or the link that leads to it.
"""

import logging
import math
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import trio
from attrs import define, field

from cca.backends.discovery import version_told
from cca.backends.edition import Edition, Stamp, edition_of
from cca.claude.launch import MINIMUM_VERSION, Launch
from cca.errors import CcaError, Unavailable, innermost

log = logging.getLogger(__name__)

PATIENCE = 60.0
"""Seconds after which a program that was refused is looked at again: a machine that was too busy is a reason, too."""

LOOKS = 3
"""Programs that may take each other's place while a request waits."""

ENDING = "cca is ending: it looks at no new Claude Code any more."

Look: TypeAlias = Callable[[Launch], Awaitable[None]]
"""Returns once what is launched may be used, and raises ``Unavailable`` that says why it may not be."""


class Refused(Unavailable):
    """The program that is there now is not used. The log has said so."""


@define(eq=False)
class _Verdict:
    """On a ``program``, once it is ``given``: what is wrong with it, or nothing. It holds ``until`` then."""

    program: Stamp
    given: trio.Event = field(factory=trio.Event, init=False)
    wrong: str | None = field(default=ENDING, init=False)
    until: float = field(default=math.inf, init=False)


@define(eq=False)
class Vouching:
    """``known`` may be used; another is looked at, once for all that wait for it, in ``nursery``."""

    nursery: trio.Nursery
    known: Stamp | None
    look: Look
    _verdict: _Verdict | None = field(default=None, init=False)
    _logged: Stamp | None = field(default=None, init=False)
    _one: trio.Lock = field(factory=trio.Lock, init=False)

    async def edition(self, launch: Launch) -> Edition:
        """Return what there is of the program and the login, once that program may be used.

        Raise ``Unavailable`` when it may not. Cancelling leaves the look to those who wait, too.
        """
        for _ in range(LOOKS):
            program, *_ = edition = edition_of(launch)
            if program is None:
                raise Unavailable(f"Claude Code cannot be started ({launch.argv[0]}): it is not there any more.")
            if program == self.known:
                return edition
            await self._judged(program, launch)
        raise Unavailable("Claude Code was replaced again and again while cca looked at it. Send the request again.")

    async def _judged(self, program: Stamp, launch: Launch) -> None:
        verdict = self._verdict
        if verdict is None or verdict.program != program or trio.current_time() >= verdict.until:
            verdict = self._verdict = _Verdict(program)
            self.nursery.start_soon(self._judge, verdict, launch)
        await verdict.given.wait()
        if verdict.wrong is not None:
            raise Refused(
                f"Claude Code was replaced while cca ran, and what is there now is not used: {verdict.wrong} "
                "Once that is replaced, too, cca looks at it by itself."
            )

    async def _judge(self, verdict: _Verdict, launch: Launch) -> None:
        try:
            # One at a time: each has the directory of a look for itself.
            async with self._one:
                verdict.wrong = await self._wrong(launch)
                verdict.until = trio.current_time() + PATIENCE
        finally:
            verdict.given.set()
        if verdict.wrong is None:
            self.known = verdict.program
        elif verdict.program != self._logged:
            self._logged = verdict.program
            log.error("Claude Code was replaced, and the new one is not used: %s", verdict.wrong)

    async def _wrong(self, launch: Launch) -> str | None:
        """Return what is wrong with what is launched, or nothing."""
        wrong = None
        try:
            await self.look(launch)
        except* CcaError as group:
            wrong = str(innermost(group))
        except* Exception:
            log.exception("A fault in cca kept it from looking at the new Claude Code.")
            wrong = "A fault in cca kept it from being looked at; its log says more."
        return wrong


async def new_enough(launch: Launch) -> str:
    """Return the version of what is launched. Raise ``Unavailable`` for one that cca does not serve with."""
    program = launch.argv[0]
    version = await version_told(program, launch.env)
    if version is None:
        raise Unavailable(f"{program} does not say that it is Claude Code when asked with --version.")
    told = ".".join(map(str, version))
    if version < MINIMUM_VERSION:
        raise Unavailable(f"{program} is version {told}; cca needs {'.'.join(map(str, MINIMUM_VERSION))} or newer.")
    return told
