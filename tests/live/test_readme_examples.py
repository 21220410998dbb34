"""The README's examples, as they are printed, against the server that its first command starts."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from live_server import SECONDS, Server, serving

pytestmark = pytest.mark.live

README = (Path(__file__).parent.parent.parent / "README.md").read_text()
PRINTED_ADDRESS = "http://127.0.0.1:8000"


def run(command: list[str], server: Server) -> str:
    """Return what ``command`` prints, asked of ``server`` in place of the address that the README prints."""
    here = [word.replace(PRINTED_ADDRESS, server.address) for word in command]
    return subprocess.run(here, check=True, capture_output=True, text=True, timeout=SECONDS).stdout


def test_the_curl_example_answers() -> None:
    found = re.search(r"^    (curl .*?^    }')$", README, re.DOTALL | re.MULTILINE)
    assert found is not None
    with serving() as server:
        assert '"content":"Hello from Claude Code."' in run(["sh", "-c", found[1]], server)


@pytest.mark.clients
def test_the_openai_python_example_answers() -> None:
    found = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    assert found is not None
    with serving() as server:
        assert run([sys.executable, "-c", found[1]], server) == "1, 2, 3, 4, 5"
