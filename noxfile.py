"""What is run on a change: ``nox`` for the default sessions, ``nox -s NAME`` for another."""

import os
import shutil
import subprocess
from pathlib import Path

import nox

nox.options.sessions = ["lint", "types", "tests"]
nox.options.default_venv_backend = "virtualenv"

PYPROJECT = nox.project.load_toml("pyproject.toml")
SUPPORTED = nox.project.python_versions(PYPROJECT)

PURE = (
    "cca/model.py",
    "cca/errors.py",
    "cca/wire.py",
    "cca/catalogue.py",
    "cca/model_json.py",
    "cca/marks.py",
    "cca/message.py",
    "cca/prices.py",
    "cca/estimate.py",
    "cca/pictures.py",
    "cca/redrawn.py",
    "cca/depth.py",
    "cca/schemas/*",
    "cca/archive.py",
    "cca/markdown.py",
    "cca/store/turns.py",
    "cca/dialects/*",
    "cca/claude/*",
    "cca/backends/transcript.py",
    "cca/backends/synthesis.py",
    "cca/backends/archiving.py",
    "cca/backends/redaction.py",
    "cca/backends/kept.py",
    "cca/backends/readings.py",
    "cca/backends/telltales.py",
    "cca/limits/policy.py",
    "cca/limits/rates.py",
    "cca/limits/account.py",
    "cca/limits/limiter.py",
    "cca/limits/wrong_keys.py",
    "cca/keys.py",
    "cca/doctor/canary.py",
    "cca/doctor/finding.py",
    "cca/origins.py",
    "cca/web/access.py",
    "cca/web/cors.py",
    "cca/web/credentials.py",
    "cca/web/framing.py",
    "cca/web/shapes.py",
    "cca/web/sse.py",
    "cca/web/rate_headers.py",
)
"""The rooms without I/O: every line of theirs is run, and every branch."""


def interpreter(version: str) -> str | None:
    """Return a Python of ``version`` that runs: pyenv puts programs on PATH that only say they are not chosen."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    candidates = [shutil.which(f"python{version}"), *map(str, sorted(pyenv.glob(f"{version}.*/bin/python")))]
    for candidate in filter(None, candidates):
        if subprocess.run([candidate, "-c", ""], check=False, capture_output=True).returncode == 0:
            return candidate
    return None


AT_HAND = [found for version in SUPPORTED if (found := interpreter(version)) is not None]
POOLED = {"CCA_TEST_POOL": "1"}

OLDEST_AND_NEWEST = list(dict.fromkeys((AT_HAND[0], AT_HAND[-1])))


@nox.session
def lint(session: nox.Session) -> None:
    session.install("ruff")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    session.install("-e", ".[test]", "mypy", "nox", "openai")
    session.run("mypy")


SERVED = (
    "tests/web",
    "tests/replay",
    "tests/backends",
    "tests/store",
    "tests/test_staying.py",
    "tests/test_service.py",
)
"""What the oldest Python runs: whatever stands on a library that is another one there, and by it all that is served.
The whole, twice, takes CI past its time.
"""


def measure(session: nox.Session, *options: str, core: str) -> None:
    """Run the offline suite, and hold how much of cca it ran against what it has to."""
    session.run("coverage", "erase")
    suite = ("pytest", "-n", "auto", "-m", "not live and not soak", *session.posargs)
    session.run("coverage", "run", *options, "-m", *suite, env={"COVERAGE_CORE": core})
    session.run("coverage", "combine", "--quiet")
    session.run("coverage", "report", "--fail-under=95")
    session.run("coverage", "report", f"--include={','.join(PURE)}", "--fail-under=100")


@nox.session(python=OLDEST_AND_NEWEST)
def tests(session: nox.Session) -> None:
    """Run the offline suite: no network, no Claude.

    With one Python each request has a process of its own, with the other processes wait and conversations stay: what a
    client sees is the same, to the byte.
    """
    session.install("-e", ".[test]")
    if session.python == AT_HAND[-1]:
        # From 3.12 on, Python itself tells which lines run, at no cost. Branches take as long as the tests.
        measure(session, core="sysmon")
    if session.python == AT_HAND[0]:
        suite = ("pytest", "-n", "auto", "-m", "not live and not soak", *session.posargs)
        session.run(*suite, *SERVED, env=POOLED)


@nox.session(python=AT_HAND[-1])
def coverage(session: nox.Session) -> None:
    """Run the offline suite once more, and measure branches."""
    session.install("-e", ".[test]")
    measure(session, "--branch", core="ctrace")


WITHOUT_POOL = [f"tests/live/test_serving_{name}.py" for name in ("http", "messages", "model")]
"""What is asked once more of servers that start a process for each answer. The other live tests have no server, say
themselves what waits and stays in theirs, or ask two servers for the same bytes; twice would tell nothing, and take
minutes.
"""


@nox.session
def live(session: nox.Session) -> None:
    """Run the real Claude Code against the scripted model."""
    session.install("-e", ".[claude,test]")
    # More than there are cores: some of their time is waiting.
    suite = ("pytest", "-n", "3", "-m", "live and not clients and not soak")
    session.run(*suite, *session.posargs)


@nox.session
def clients(session: nox.Session) -> None:
    """Drive a running cca, with the real Claude Code, by the programs of others."""
    node, python = Path("tests/clients/node"), Path("tests/clients/python")
    session.install("-e", ".[claude,test]", "-r", str(python / "openai-3.txt"))
    # Those that need an older openai, of which aider names each version, have an environment of their own.
    older = Path(session.virtualenv.location).resolve().with_name("clients-openai-2")
    session.run_install("python", "-m", "venv", str(older))
    locked = ("--quiet", "--no-deps", "--no-compile", "-r", str(python / "openai-2.txt"))
    session.run_install(str(older / "bin/pip"), "install", *locked, external=True)
    session.run_install("npm", "ci", "--prefix", str(node), "--no-audit", "--no-fund", external=True)
    where = session.posargs or ("tests/clients", "tests/live")
    # A file's programs and its server stay together; much of their time is waiting.
    alongside = ("-n", "3", "--dist", "loadfile")
    session.run("pytest", *alongside, "-m", "clients", *where, env={"CCA_CLIENTS": str(older)})


@nox.session
def soak(session: nox.Session) -> None:
    """Run what is long, with and without the real Claude Code, and print its figures."""
    session.install("-e", ".[claude,test]")
    session.run("pytest", "-m", "soak", "-s", *session.posargs)
    if not session.posargs:
        session.run("pytest", "-m", "live and not soak", *WITHOUT_POOL, env={"CCA_TEST_POOL": "0"})


@nox.session
def fixtures(session: nox.Session) -> None:
    """Record the fixtures anew with the real Claude Code; ``git diff`` shows what it now does otherwise."""
    session.install("-e", ".[claude]")
    session.run("python", "-m", "tools.record", *session.posargs)
