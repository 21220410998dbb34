"""Whether Claude Code can be started in a sandbox here: tried once, before anything is answered."""

import logging
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from cca.claude.launch import Directories, launch, version_of
from cca.claude.sandbox import Entry, Sandbox
from cca.errors import Unavailable

log = logging.getLogger(__name__)

TRIAL_TIMEOUT = 30.0
"""Seconds for Claude Code to say its version in a sandbox, which takes a tenth of one on a warm disk."""

RESOLVER = "/etc/resolv.conf"
"""Where names of the network are looked up, as a rule by a link into what is hidden."""

HOW = "Install bubblewrap, let its users make namespaces, or use --sandbox off."


def find_sandbox(wanted: str, program: str, environ: Mapping[str, str]) -> Sandbox | None:
    """Return the sandbox to start ``program`` in; nothing, where none is ``wanted`` (off), or auto finds none.

    Raise ``Unavailable``, which says what to do, where one must be had.
    """
    if wanted == "off":
        return None
    sandbox, why = tried(program, environ)
    if why is None:
        return sandbox
    if wanted == "on":
        raise Unavailable(f"Claude Code cannot be started in a sandbox: {why}. {HOW}")
    log.warning("Claude Code runs without a sandbox: %s. %s", why, HOW)
    return None


def tried(program: str, environ: Mapping[str, str]) -> tuple[Sandbox | None, str | None]:
    """Return the sandbox that there is to start ``program`` in, and why it does not work, if it does not."""
    if sys.platform != "linux":
        return None, f"bubblewrap is for Linux, and this is {sys.platform}"
    bwrap = shutil.which("bwrap", path=environ.get("PATH", ""))
    if bwrap is None:
        return None, "there is no bwrap on PATH"
    needed = dict.fromkeys((program, os.path.realpath(program), os.path.realpath(RESOLVER)))
    sandbox = Sandbox(str(Path(bwrap).absolute()), tuple(needed), os.path.exists, entries)
    return sandbox, _trial(sandbox, program, environ)


def entries(place: str) -> Iterator[Entry]:
    """Yield what is in a directory, but for links."""
    with os.scandir(place) as found:
        for each in found:
            if not each.is_symlink():
                yield Entry(each.name, each.is_dir())


def _trial(sandbox: Sandbox, program: str, environ: Mapping[str, str]) -> str | None:
    """Return why ``program`` does not say its version in ``sandbox``, if it does not."""
    with tempfile.TemporaryDirectory(prefix="cca-") as place:
        own = [Path(place, name) for name in ("work", "tmp", "config")]
        for each in own:
            each.mkdir(mode=0o700)
        made = launch(program, environ, Directories(*map(str, own)), retries=0, sandbox=sandbox)
        try:
            asked = subprocess.run(
                (*made.sandbox, program, "--version"),
                env=made.env,
                cwd=made.cwd,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=TRIAL_TIMEOUT,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error)
    if version_of(asked.stdout.decode("utf-8", "replace")) is not None:
        return None
    *_, last = asked.stderr.decode("utf-8", "replace").strip().splitlines() or ["Claude Code does not say its version"]
    return last
