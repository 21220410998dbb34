"""``cca doctor``: whether cca can serve here, check by check, and what to do where it cannot."""

import argparse

import orjson
import trio

from cca.commands import Subparsers, Surroundings, add_setting
from cca.doctor import machine, program, storage
from cca.doctor.finding import Finding, as_json, failed, lines, ok
from cca.service import default_database
from cca.settings import Settings, read_settings

SETTINGS = ("host", "port", "claude", "offline", "replay", "database", "sandbox")
"""What is to be said to it as to ``serve``, so that it looks at the same."""

FAILED = 1
"""Exit code when a check failed."""


def add_doctor(commands: Subparsers) -> None:
    """Add ``doctor``."""
    explained = "check whether cca can serve here, and say what to do where it cannot"
    parser = commands.add_parser("doctor", help=explained, description=f"{explained.capitalize()}.")
    for name in SETTINGS:
        add_setting(parser, name)
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.set_defaults(run=_doctor)


async def _doctor(flags: argparse.Namespace, around: Surroundings) -> int:
    given = vars(flags)
    settings = read_settings(around.environ, {name: given[name] for name in SETTINGS})
    findings = await examine(settings, around)
    if flags.json:
        print(orjson.dumps(as_json(findings), option=orjson.OPT_INDENT_2).decode())
    else:
        for line in lines(findings):
            print(line)
    return FAILED if failed(findings) else 0


async def examine(settings: Settings, around: Surroundings) -> list[Finding]:
    """Return what was found, in the order in which it matters."""
    path = settings.database or default_database(around.environ)
    of_claude: list[Finding] = []

    async def look() -> None:
        of_claude.extend(await _claude(settings, around))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(look)
        stored = await storage.database(path, settings.host, around.now())
        port = await machine.port(settings.host, settings.port)
    return [machine.python(), *of_claude, port, *stored, machine.run_directory()]


async def _claude(settings: Settings, around: Surroundings) -> list[Finding]:
    if settings.replay is not None:
        return [ok("claude code", f"not needed: recordings of {settings.replay} answer")]
    found = await program.claude(settings, around.environ)
    if settings.offline:
        return [*found, ok("login", "not needed: a scripted model answers")]
    return [*found, machine.login(around.environ, settings.inherit)]
