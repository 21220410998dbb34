"""Programs of others, run with a home of their own. ``nox -s clients`` installs them, and says where in CCA_CLIENTS."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from attrs import frozen

HERE = Path(__file__).parent

SECONDS = 180.0
"""For a program. The slowest takes 20 with a machine of two cores for itself."""

HEARTBEAT = 0.1
"""Seconds for CCA_HEARTBEAT. No Claude Code starts in less, so that each message streamed begins with pings."""

INSTALLED = "CCA_CLIENTS"

QUIET = {
    "CONTINUE_TELEMETRY_ENABLED": "0",
    "DO_NOT_TRACK": "1",
    "HF_HUB_OFFLINE": "1",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "NO_COLOR": "1",
    "OPENAI_AGENTS_DISABLE_TRACING": "1",
    "OPENCODE_DISABLE_AUTOUPDATE": "1",
    "OPENCODE_DISABLE_DEFAULT_PLUGINS": "1",
    "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
    "OPENCODE_DISABLE_MODELS_FETCH": "1",
    "TERM": "dumb",
}
"""What keeps them from asking others than cca, and from colours."""


@frozen
class Ended:
    code: int
    output: str
    errors: str


def environment(name: str) -> Path:
    """Return the directory of the programs of ``openai-3``, ``openai-2`` or ``node``. Skip the test outside of nox."""
    older = os.environ.get(INSTALLED)
    if older is None:
        pytest.skip("nox -s clients installs what this needs")
    return {
        "openai-3": Path(sys.executable).parent,
        "openai-2": Path(older, "bin"),
        "node": HERE / "node" / "node_modules" / ".bin",
    }[name]


def run(command: Sequence[str | Path], home: Path, directory: Path, given: str = "", **environ: str) -> Ended:
    """Run a program, with ``given`` to read. What it started is killed with it, at the latest after ``SECONDS``."""
    env = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": str(home), **QUIET, **environ}
    with (
        tempfile.TemporaryFile("w+") as said,
        tempfile.TemporaryFile("w+") as output,
        tempfile.TemporaryFile("w+") as errors,
    ):
        said.write(given)
        said.seek(0)
        with subprocess.Popen(
            command, cwd=directory, env=env, stdin=said, stdout=output, stderr=errors, start_new_session=True
        ) as process:
            try:
                code = process.wait(SECONDS)
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
        output.seek(0)
        errors.seek(0)
        return Ended(code, output.read(), errors.read())
