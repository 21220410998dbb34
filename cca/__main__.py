"""The command. It reads the process's arguments; the environment comes from ``service``."""

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from typing import Any

import attrs
import trio

from cca.commands import Surroundings
from cca.commands.keys import add_keys
from cca.commands.sessions import add_sessions
from cca.commands.usage import add_usage
from cca.errors import CcaError, innermost
from cca.service import open_service, process_environ
from cca.settings import Settings, SettingsError, flag, read_settings, reader, variable
from cca.version import VERSION
from cca.web.app import service_app
from cca.web.serve import run_server

CANNOT_START = 2
"""Exit code when cca cannot do what it was told; the message on stderr says why."""


INTERRUPTED = 130
"""Exit code of a program that Ctrl-C ended, by the shells' custom."""

NOBODY_READS = 141
"""Exit code of a program whose reader has left, as ``head`` does, by the same custom."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    flags = _parser().parse_args(arguments)
    logging.basicConfig(stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s", level=logging.WARNING)
    problem: BaseException | None = None
    code = 0
    try:
        trio.run(flags.run, flags, Surroundings(process_environ()))
        sys.stdout.flush()
    except* (CcaError, SettingsError) as group:
        problem, code = innermost(group), CANNOT_START
    except* KeyboardInterrupt:
        # Before it serves; then it ends as asked.
        code = INTERRUPTED
    except* BrokenPipeError:
        # Python would flush what is left, and complain. Source: the documentation of its module signal.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = NOBODY_READS
    if problem is not None:
        print(f"cca: {problem}", file=sys.stderr)
    return code


async def _serve(flags: argparse.Namespace, around: Surroundings) -> None:
    settings = read_settings(around.environ, vars(flags))
    async with open_service(settings, around.environ) as service:
        await run_server(service_app(service), settings, _announce)


def _announce(place: str) -> None:
    print(f"cca is listening on {place}", flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="cca", description="OpenAI's HTTP API in front of Claude Code.")
    parser.add_argument("--version", action="version", version=f"cca {VERSION}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    serve = commands.add_parser("serve", help="answer requests until stopped")
    for attribute in attrs.fields(Settings):
        if attribute.metadata["flag"]:
            _add_flag(serve, attribute)
    serve.set_defaults(run=_serve)
    add_keys(commands)
    add_sessions(commands)
    add_usage(commands)
    return parser


def _add_flag(parser: argparse.ArgumentParser, attribute: "attrs.Attribute[Any]") -> None:
    name = flag(attribute)
    shown = "" if attribute.default in (None, False) else f", {attribute.default} by default"
    explained = f"{attribute.metadata['help']} ({variable(attribute)}{shown})"
    if attribute.type is bool:
        parser.add_argument(name, action="store_true", default=None, help=explained)
    else:
        parser.add_argument(name, type=reader(attribute), help=explained)


if __name__ == "__main__":
    sys.exit(main())
