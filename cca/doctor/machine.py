"""What is checked of the machine: its Python, the login, the port, the run directory. Nothing is changed."""

import json
import os
import platform
import shutil
import socket
import tempfile
from collections.abc import Mapping
from pathlib import Path

import trio

from cca.claude.launch import CLOUDS, inherited, is_on, needs_login
from cca.doctor.finding import Finding, fail, ok, warn
from cca.model import Json

LEAST_ROOM = 200_000_000
"""Bytes: what some dozen processes write beside what they say."""

PATIENCE = 2.0
"""Seconds for whoever has the port to say who it is."""

MOST_SAID = 65_536

ON_LINUX_ALONE = "the memory of processes that stay is not watched there, and the sandbox is not to be had"


def python() -> Finding:
    """Find what cca runs on."""
    said = f"{platform.python_implementation()} {platform.python_version()} on {platform.system()} {platform.machine()}"
    if platform.system() == "Linux":
        return ok("python", said)
    return warn("python", f"{said}; {ON_LINUX_ALONE}", "cca serves all the same.")


def login(environ: Mapping[str, str], inherit: tuple[str, ...]) -> Finding:
    """Find what Claude Code would log in with. No value of it is told."""
    env = inherited(environ, inherit)
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"):
        if env.get(name):
            return ok("login", f"the key in {name}")
    for switch in CLOUDS:
        if is_on(env.get(switch)):
            return ok("login", f"that of the cloud that {switch} chooses")
    if not needs_login(env):
        return ok("login", "the token in CLAUDE_CODE_OAUTH_TOKEN")
    home = Path(environ.get("HOME", "~"), ".claude").expanduser()
    file = Path(environ.get("CLAUDE_CONFIG_DIR") or home, ".credentials.json")
    if _holds_login(file):
        return ok("login", f"Claude Code's own, in {file}")
    if platform.system() == "Darwin":
        return warn("login", "it may be in the keychain, where cca does not look", "Start `claude` to see.")
    return fail(
        "login",
        "there is no key, no token, and no login of Claude Code's",
        "Start `claude` and say /login, or set ANTHROPIC_API_KEY. `cca serve --offline` needs none.",
    )


def _holds_login(file: Path) -> bool:
    try:
        held = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(held, dict) and bool(held.get("claudeAiOauth"))


def run_directory() -> Finding:
    """Find whether processes can have directories of their own."""
    place = tempfile.gettempdir()
    try:
        with tempfile.TemporaryDirectory(prefix="cca-") as own:
            mode = os.stat(own).st_mode & 0o777  # noqa: PTH116 - the same
        room = shutil.disk_usage(place).free
    except OSError as error:
        return fail("run directory", f"{place} cannot be written: {error.strerror}", "Set TMPDIR to another directory.")
    if mode != 0o700:
        return fail("run directory", f"directories in {place} are open to others", "Set TMPDIR to another file system.")
    if room < LEAST_ROOM:
        return warn("run directory", f"{place} has {room // 1_000_000} MB left", "Make room, or set TMPDIR.")
    return ok("run directory", f"{place}, {room // 1_000_000_000} GB free")


async def port(host: str, number: int) -> Finding:
    """Find whether cca can listen there, or does already."""
    place = f"{host}:{number}"
    if number == 0:
        return ok("port", "any that is free")
    address = "127.0.0.1" if host in ("localhost", "0.0.0.0") else host.strip("[]")
    try:
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((address, number))
    except OSError as error:
        who = await _answering(address, number)
        if who is not None:
            return ok("port", f"on {place} a cca {who.get('version')} listens already ({who.get('backend')})")
        return fail(
            "port", f"cca cannot listen on {place}: {error.strerror}", "Use another --port, or 0 for a free one."
        )
    return ok("port", f"{place} is free")


async def _answering(address: str, number: int) -> Mapping[str, Json] | None:
    """Return what the health of the cca there is; nothing, where it is none."""
    received = b""
    with trio.move_on_after(PATIENCE):
        try:
            async with await trio.open_tcp_stream(address, number) as stream:
                await stream.send_all(
                    f"GET /health HTTP/1.1\r\nHost: localhost:{number}\r\nConnection: close\r\n\r\n".encode()
                )
                async for part in stream:
                    received += part
                    if len(received) > MOST_SAID:
                        break
        except (OSError, trio.BrokenResourceError):
            return None
    try:
        said = json.loads(received.partition(b"\r\n\r\n")[2])
    except ValueError:
        return None
    return said if isinstance(said, dict) and "cli_version" in said and "backend" in said else None
