"""The import rules, read from the source. A rule that could not fail would prove nothing, so each is made to."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import frozen

ROOT = Path(__file__).parents[1] / "cca"

IO = (
    *("trio", "quart", "quart_trio", "hypercorn", "werkzeug", "sqlite3", "os", "time", "datetime", "random", "secrets"),
    *("subprocess", "socket", "threading", "multiprocessing", "asyncio", "signal", "sys", "io", "pathlib", "shutil"),
    *("tempfile", "glob", "uuid", "logging", "requests", "urllib.request", "http", "ssl", "select", "fcntl", "ctypes"),
    *("builtins", "importlib", "runpy", "pickle", "atexit", "warnings"),
)
"""What reads or changes anything outside of its arguments."""

PURE = (
    *("cca.model", "cca.errors", "cca.wire", "cca.catalogue", "cca.model_json", "cca.message", "cca.marks"),
    *("cca.prices", "cca.estimate", "cca.pictures", "cca.redrawn", "cca.archive", "cca.markdown", "cca.store.turns"),
    *("cca.dialects", "cca.claude"),
    *("cca.backends.synthesis", "cca.backends.archiving"),
    *("cca.backends.transcript", "cca.backends.redaction", "cca.backends.kept", "cca.backends.readings"),
    *("cca.backends.telltales", "cca.limits.policy", "cca.limits.rates", "cca.limits.account", "cca.limits.limiter"),
    *(
        "cca.keys",
        "cca.doctor.canary",
        "cca.doctor.finding",
        "cca.web.access",
        "cca.web.credentials",
        "cca.depth",
        "cca.schemas",
    ),
    *("cca.origins", "cca.web.cors", "cca.web.shapes", "cca.web.sse", "cca.web.rate_headers", "cca.web.framing"),
    "cca.limits.wrong_keys",
)


@frozen
class Rule:
    """Modules ``within``, but not ``besides``, import nothing of ``barred``, but for what is ``allowed``."""

    says: str
    within: tuple[str, ...]
    barred: tuple[str, ...]
    besides: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()


RULES = (
    Rule("errors import nothing of ours", ("cca.errors",), ("cca",)),
    Rule("the model imports nothing of ours but errors", ("cca.model",), ("cca",), allowed=("cca.errors",)),
    Rule("the pure rooms do no I/O", PURE, IO),
    Rule(
        "the pure rooms import no room that does I/O",
        PURE,
        ("cca",),
        # The seam is values and protocols; a transcript has the program's exit from it.
        allowed=(*PURE, "cca.backends.Exit"),
    ),
    Rule(
        "dialects do not know the program", ("cca.dialects",), ("cca.claude", "cca.backends", "cca.exchange", "cca.web")
    ),
    Rule("claude does not know the wire", ("cca.claude",), ("cca.dialects", "cca.wire", "cca.web", "cca.backends")),
    Rule("a dialect does not know how it is served", ("cca.dialects",), ("cca.settings", "cca.service", "cca.store")),
    Rule(
        "only live starts programs, and who looks for one asks for its version",
        ("cca",),
        ("subprocess", "multiprocessing", "pty", "trio.run_process", "trio.lowlevel.open_process"),
        besides=("cca.backends.live", "cca.backends.discovery", "cca.backends.bubblewrap"),
    ),
    Rule(
        "only web and the scripted model import the web server",
        ("cca",),
        ("quart", "quart_trio", "hypercorn", "werkzeug"),
        besides=("cca.web", "cca.scripted"),
    ),
    Rule("only the store imports SQLite", ("cca",), ("sqlite3",), besides=("cca.store",)),
    Rule(
        "the exchange knows the seam, and not who is behind it",
        ("cca.exchange", "cca.staying"),
        ("cca.backends", "cca.web", "cca.dialects", "cca.service", "cca.settings"),
        allowed=("cca.backends.Backend", "cca.backends.Process", "cca.backends.transcript.request_json"),
    ),
    Rule(
        "a web route knows the seam, and not who is behind it",
        ("cca.web",),
        ("cca.backends", "cca.claude", "cca.scripted"),
    ),
    Rule(
        "the scripted model stands alone",
        ("cca.scripted",),
        ("cca",),
        allowed=("cca.scripted",),
    ),
    Rule(
        "limits are told the time, and by no wall clock",
        ("cca.limits",),
        ("time", "datetime", "calendar", "trio.current_time"),
    ),
)

EDGES = ("cca.__main__", "cca.service", "cca.asgi")
"""Where arguments and environment come in. ``asgi`` asks ``service`` for them."""


@frozen
class Module:
    """A module: its dotted name, its source, whether it is a package."""

    name: str
    source: str
    package: bool = False

    def imports(self) -> Iterator[str]:
        """Yield what it imports, wherever in it: ``import a.b`` is a.b, ``from a import b`` is a.b too."""
        for node in ast.walk(ast.parse(self.source)):
            match node:
                case ast.Import(names):
                    yield from (alias.name for alias in names)
                case ast.ImportFrom(module, names, level):
                    origin = ".".join(filter(None, (self._base(level), module)))
                    yield from (f"{origin}.{alias.name}" for alias in names)

    def uses(self) -> Iterator[str]:
        """Yield each dotted name that it uses: ``os.environ``, ``trio.lowlevel.open_process``."""
        for node in ast.walk(ast.parse(self.source)):
            if isinstance(node, ast.Attribute):
                yield ast.unparse(node)

    def _base(self, level: int) -> str:
        if level == 0:
            return ""
        parts = self.name.split(".")
        return ".".join(parts[: len(parts) - level + self.package])


def modules() -> list[Module]:
    found = []
    for path in sorted(ROOT.rglob("*.py")):
        parts = ["cca", *path.relative_to(ROOT).with_suffix("").parts]
        package = parts[-1] == "__init__"
        found.append(Module(".".join(parts[:-1] if package else parts), path.read_text("utf-8"), package))
    return found


def within(name: str, rooms: tuple[str, ...]) -> bool:
    return any(name == room or name.startswith(f"{room}.") for room in rooms)


def offences(rule: Rule, module: Module) -> list[str]:
    """Return what ``module`` imports or uses against ``rule``."""
    if not within(module.name, rule.within) or within(module.name, rule.besides):
        return []
    named = {*module.imports(), *(use for use in module.uses() if use.startswith("trio."))}
    return sorted(name for name in named if within(name, rule.barred) and not within(name, rule.allowed))


def environment_readers(module: Module) -> list[str]:
    names = ("os.environ", "os.getenv", "os.environb", "sys.argv")
    return sorted(name for name in {*module.imports(), *module.uses()} if within(name, names))


MODULES = modules()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.says)
def test_a_rule_holds(rule: Rule) -> None:
    assert any(within(module.name, rule.within) for module in MODULES), "there is somebody to hold it"
    assert {module.name: offences(rule, module) for module in MODULES if offences(rule, module)} == {}


def test_only_the_edges_read_the_environment_and_the_arguments() -> None:
    readers = {module.name for module in MODULES if environment_readers(module)}
    # The reaper is a program of its own: its arguments are what the server started it with.
    assert readers - {"cca.backends.reaper", "cca.scripted.__main__"} <= set(EDGES)


def test_the_modules_are_all_of_ours() -> None:
    """A path that found nothing would hold every rule."""
    names = {module.name for module in MODULES}
    assert {"cca", "cca.model", "cca.claude.dialogue", "cca.web.sse", "cca.scripted.app", "cca.__main__"} <= names


@pytest.mark.parametrize(
    ("rule", "name", "source", "found"),
    [
        ("errors import", "cca.errors", "import cca.model", ["cca.model"]),
        ("errors import", "cca.errors", "from . import model", ["cca.model"]),
        (
            "the model imports",
            "cca.model",
            "from cca.wire import Body\nfrom cca.errors import CcaError",
            ["cca.wire.Body"],
        ),
        ("the pure rooms do", "cca.claude.launch", "import os", ["os"]),
        ("the pure rooms do", "cca.claude.new.deep", "from os import environ", ["os.environ"]),
        ("the pure rooms do", "cca.dialects.x", "def f():\n    import time", ["time"]),
        ("the pure rooms do", "cca.wire", "import trio.lowlevel as quiet", ["trio.lowlevel"]),
        ("the pure rooms do", "cca.web.sse", "from quart import request", ["quart.request"]),
        ("the pure rooms do", "cca.backends.redaction", "import urllib.request", ["urllib.request"]),
        ("the pure rooms do", "cca.catalogue", "if True:\n    import socket", ["socket"]),
        ("the pure rooms import", "cca.backends.transcript", "from cca.backends import live", ["cca.backends.live"]),
        ("the pure rooms import", "cca.claude.x", "from cca.exchange import converse", ["cca.exchange.converse"]),
        ("the pure rooms import", "cca.web.sse", "from .app import make_app", ["cca.web.app.make_app"]),
        ("dialects do not", "cca.dialects.x", "from cca.claude import frames", ["cca.claude.frames"]),
        ("dialects do not", "cca.dialects.x.y", "from ...claude.frames import user", ["cca.claude.frames.user"]),
        ("claude does not", "cca.claude.x", "import cca.dialects.openai", ["cca.dialects.openai"]),
        ("a dialect does not", "cca.dialects.x", "from cca.settings import Settings", ["cca.settings.Settings"]),
        ("only live", "cca.exchange", "from subprocess import run", ["subprocess.run"]),
        ("only live", "cca.web.app", "import trio\nawait trio.run_process([])", ["trio.run_process"]),
        ("only live", "cca.service", "from trio.lowlevel import open_process", ["trio.lowlevel.open_process"]),
        ("only web", "cca.exchange", "from hypercorn.config import Config", ["hypercorn.config.Config"]),
        ("only web", "cca.asgi", "import quart_trio", ["quart_trio"]),
        ("only the store", "cca.web.app", "import sqlite3", ["sqlite3"]),
        (
            "the exchange knows",
            "cca.exchange",
            "from cca.backends.live import open_live",
            ["cca.backends.live.open_live"],
        ),
        ("the exchange knows", "cca.exchange", "from cca.backends import live, Backend", ["cca.backends.live"]),
        ("a web route", "cca.web.answer", "from cca.claude import frames", ["cca.claude.frames"]),
        ("the scripted", "cca.scripted.app", "from cca import model", ["cca.model"]),
        ("limits are told", "cca.limits.gate", "import time", ["time"]),
        ("limits are told", "cca.limits.gate", "import trio\ntrio.current_time()", ["trio.current_time"]),
    ],
)
def test_a_rule_can_fail(rule: str, name: str, source: str, found: list[str]) -> None:
    [broken] = [each for each in RULES if each.says.startswith(rule)]
    assert offences(broken, Module(name, source, package=False)) == found


def test_every_rule_is_shown_to_fail() -> None:
    marks = test_a_rule_can_fail.pytestmark  # type: ignore[attr-defined]
    shown = {row[0] for row in marks[0].args[1]}
    assert [rule.says for rule in RULES if not any(rule.says.startswith(start) for start in shown)] == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import os\nos.environ['X']", ["os.environ"]),
        ("import os\nos.environ.get('X')", ["os.environ", "os.environ.get"]),
        ("from os import getenv", ["os.getenv"]),
        ("import sys\nprint(sys.argv[1])", ["sys.argv"]),
        ("import os\nos.getpid()", []),
    ],
)
def test_a_reader_of_the_environment_is_found(source: str, found: list[str]) -> None:
    assert environment_readers(Module("cca.exchange", source)) == found


@pytest.mark.parametrize(
    ("source", "package", "found"),
    [
        ("from . import a", False, ["cca.web.a"]),
        ("from . import a", True, ["cca.web.app.a"]),
        ("from ..claude import a", False, ["cca.claude.a"]),
        ("from .a import b, c", False, ["cca.web.a.b", "cca.web.a.c"]),
        ("import a.b as c, d", False, ["a.b", "d"]),
    ],
)
def test_imports_are_read_as_python_reads_them(source: str, package: bool, found: list[str]) -> None:  # noqa: FBT001
    assert list(Module("cca.web.app", source, package).imports()) == found
