"""The command. It reads the process's arguments; the environment comes from ``service``."""

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from contextlib import suppress

import attrs
import trio

from cca.commands import Surroundings, add_setting
from cca.commands.doctor import add_doctor
from cca.commands.keys import add_keys
from cca.commands.sessions import add_sessions
from cca.commands.usage import add_usage
from cca.errors import CcaError, Unavailable, innermost
from cca.logs import OURS, one_line, open_log, tune_log
from cca.service import open_service, process_environ
from cca.settings import Settings, SettingsError, read_settings
from cca.version import VERSION

CANNOT_START = 2
"""Exit code when cca cannot do what it was told; the message on stderr says why."""


FAULT = 70
"""Exit code when a fault in cca ended it, by the custom of sysexits.h."""

INTERRUPTED = 130
"""Exit code of a program that Ctrl-C ended, by the shells' custom."""

NOBODY_READS = 141
"""Exit code of a program whose reader has left, as ``head`` does, by the same custom."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    if sys.stderr is None:
        # It is closed, and print would take stdout in its place.
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - for as long as the program runs
    flags = _parser().parse_args(arguments)
    if sys.stdout is None and flags.run is not _serve:
        _complain("There is no stdout to tell anything on, and nothing was done. Send it to /dev/null if need be.")
        return CANNOT_START
    open_log(process_environ())
    problem: BaseException | None = None
    code = 0
    try:
        code = trio.run(flags.run, flags, Surroundings(process_environ())) or 0
        if sys.stdout is not None:
            sys.stdout.flush()
    except* (CcaError, SettingsError) as group:
        problem, code = innermost(group), CANNOT_START
    except* KeyboardInterrupt:
        # Before it serves; then it ends as asked.
        code = INTERRUPTED
    except* BrokenPipeError:
        code = NOBODY_READS
    except* OSError as group:
        if flags.run is _serve:
            code = _fault(group)
        else:
            # What else a command reads and writes has errors of its own.
            problem, code = Unavailable(f"The output cannot be written: {innermost(group).strerror}."), CANNOT_START
    except* Exception as group:  # noqa: BLE001 - it is told whole, but for its words
        code = _fault(group)
    if code:
        _forget_output()
    if problem is not None:
        _complain(str(problem))
    return code


def _fault(fault: BaseException) -> int:
    """Log a fault of cca's, instead of Python, which tells what it says, and return the exit code."""
    logging.getLogger(OURS).critical("A fault in cca ended it.", exc_info=fault)
    return FAULT


def _complain(said: str) -> None:
    with suppress(OSError):
        print(f"cca: {one_line(said)}", file=sys.stderr)


def _forget_output() -> None:
    """Let Python flush what is left of a failed output to nowhere: it would complain, and end with a code of its own.

    Source: the documentation of its module signal.
    """
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


async def _serve(flags: argparse.Namespace, around: Surroundings) -> None:
    # The other commands need no web framework, which takes longer to load than they to run.
    from cca.web.app import service_app  # noqa: PLC0415
    from cca.web.serve import run_server  # noqa: PLC0415

    settings = read_settings(around.environ, vars(flags))
    tune_log(settings)
    async with open_service(settings, around.environ) as service:
        await run_server(service_app(service), settings, _announce)


def _announce(place: str) -> None:
    try:
        print(f"cca is listening on {place}", flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        why = f"cca cannot print where it listens: {error.strerror}. Send its output elsewhere, /dev/null if need be."
        raise Unavailable(why) from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="cca", description="OpenAI's HTTP API in front of Claude Code.")
    parser.add_argument("--version", action="version", version=f"cca {VERSION}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    more = "Every setting is a variable too, and more than these: the README lists them all."
    serve = commands.add_parser("serve", help="answer requests until stopped", epilog=more)
    for attribute in attrs.fields(Settings):
        if attribute.metadata["flag"]:
            add_setting(serve, attribute.name)
    serve.set_defaults(run=_serve)
    add_keys(commands)
    add_sessions(commands)
    add_usage(commands)
    add_doctor(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
