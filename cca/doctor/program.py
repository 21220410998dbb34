"""What is checked of Claude Code: that it is there, new enough, and only passes on what is said."""

import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import trio

from cca.backends.bubblewrap import HOW, tried
from cca.backends.discovery import find_claude, version_at
from cca.backends.live import Launcher, LiveBackend, open_reaper
from cca.claude.launch import launch
from cca.claude.sandbox import Sandbox
from cca.doctor.behaviour import misbehaviour
from cca.doctor.finding import Finding, fail, ok, warn
from cca.errors import Unavailable
from cca.settings import Settings

ANOTHER = "Name another with --claude, or update Claude Code and cca."


async def claude(settings: Settings, environ: Mapping[str, str]) -> list[Finding]:
    """Find the program, and how it behaves when it is started as cca starts it, on a model of ours."""
    try:
        found = await trio.to_thread.run_sync(find_claude, settings.claude, environ)
    except Unavailable as error:
        return [fail("claude code", str(error), "Without it, cca serves recordings alone: --replay.")]
    version = ".".join(map(str, await trio.to_thread.run_sync(version_at, found, environ) or ()))
    program = ok("claude code", f"{version}, {found}")
    sandbox, around = await trio.to_thread.run_sync(_around, settings.sandbox, found, environ)
    if around.level == "fail":
        return [program, around]
    launcher: Launcher = partial(
        launch, found, environ, retries=settings.retries, inherit=settings.inherit, sandbox=sandbox
    )
    return [program, around, await behaviour(launcher)]


def _around(wanted: str, program: str, environ: Mapping[str, str]) -> tuple[Sandbox | None, Finding]:
    """Return the sandbox that a server would start ``program`` in, and how that is."""
    if wanted == "off":
        return None, ok("sandbox", "off, as it was told")
    sandbox, why = tried(program, environ)
    if sandbox is not None and why is None:
        return sandbox, ok("sandbox", f"bubblewrap, {sandbox.bwrap}")
    if wanted == "on":
        return None, fail("sandbox", f"Claude Code cannot be started in one: {why}", HOW)
    return None, warn("sandbox", f"none ({why}): Claude Code could reach all that its user can, if made to", HOW)


async def behaviour(launcher: Launcher) -> Finding:
    """Find whether what ``launcher`` starts only passes on what is said."""
    began = trio.current_time()
    try:
        with tempfile.TemporaryDirectory(prefix="cca-", ignore_cleanup_errors=True) as place:
            async with open_reaper(Path(place)) as reaper:
                wrong = await misbehaviour(LiveBackend(launcher, reaper, Path(place)))
    except (Unavailable, OSError) as error:
        return fail("behaviour", f"it cannot be started: {error}", ANOTHER)
    if wrong:
        return fail("behaviour", f"it cannot be trusted with prompts: {'; '.join(wrong)}", ANOTHER)
    took = trio.current_time() - began
    return ok("behaviour", f"prompts reach the model as they are, no file is read, no command run ({took:.1f} s)")
