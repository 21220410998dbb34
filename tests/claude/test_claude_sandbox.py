"""What Claude Code is started with in a sandbox: each argument of bubblewrap's is one that somebody has read."""

from collections.abc import Mapping

import pytest

from cca.claude.launch import Directories, launch
from cca.claude.sandbox import Entry, Sandbox

PROGRAM = "/home/ann/.local/bin/claude"
REAL = "/home/ann/.local/share/claude/2.1.330"
TEMPORARY = "/tmp"  # noqa: S108 - nothing is put there
OWN_PLACE = f"{TEMPORARY}/cca-x/1"
THERE = frozenset(
    {
        *(TEMPORARY, "/run", "/home/ann", PROGRAM, REAL),
        *("/home/ann/.claude", "/home/ann/.claude.json", "/home/ann/.claude/projects", "/home/ann/config"),
        *("/home/ann/ca.pem", "/etc/ca.pem", "/home/ann/.aws", "/home/ann/.config/gcloud"),
    }
)
SYSTEM = "--unshare-pid --unshare-ipc --ro-bind / / --dev /dev --proc /proc --tmpfs /tmp --tmpfs /run"
ITSELF = f"--ro-bind {PROGRAM} {PROGRAM} --ro-bind {REAL} {REAL}"
OWN = f"--bind {OWN_PLACE} {OWN_PLACE} --chdir {OWN_PLACE}/work --"
CONFIG = (
    "--bind /home/ann/.claude /home/ann/.claude --tmpfs /home/ann/.claude/sessions --tmpfs /home/ann/.claude/backups"
    " --tmpfs /home/ann/.claude/plugins"
)
KEY = {"ANTHROPIC_API_KEY": "k"}


def entries(place: str) -> list[Entry]:
    """Return what is beside a login. Links are not told of."""
    if place != "/home/ann/.claude":
        return []
    files = (".credentials.json", ".credentials.json.tmp.1", ".oauth_refresh.lock", "history.jsonl")
    directories = ("sessions", "projects", "local")
    return [
        *(Entry(name, is_directory=False) for name in files),
        *(Entry(name, is_directory=True) for name in directories),
        Entry("policy-limits.json", is_directory=False),
    ]


def started(env: Mapping[str, str], there: frozenset[str] = THERE) -> str:
    sandbox = Sandbox("/usr/bin/bwrap", (PROGRAM, REAL), there.__contains__, entries)
    directories = Directories(f"{OWN_PLACE}/work", f"{OWN_PLACE}/temporary", f"{OWN_PLACE}/config")
    made = launch(PROGRAM, env, directories, retries=0, sandbox=sandbox)
    assert made.argv == launch(PROGRAM, env, directories, retries=0).argv
    return " ".join(made.sandbox)


@pytest.mark.parametrize(
    ("env", "argv"),
    [
        pytest.param({"HOME": "/home/ann", **KEY}, f"{SYSTEM} --tmpfs /home/ann {ITSELF} {OWN}", id="a key"),
        pytest.param(
            {"HOME": "/home/ann/"},
            f"{SYSTEM} --tmpfs /home/ann {CONFIG} --ro-bind-try /dev/null /home/ann/.claude/history.jsonl"
            " --tmpfs /home/ann/.claude/projects --tmpfs /home/ann/.claude/local"
            " --ro-bind-try /home/ann/.claude/policy-limits.json /home/ann/.claude/policy-limits.json"
            f" --ro-bind /home/ann/.claude.json /home/ann/.claude.json {ITSELF} {OWN}",
            id="a login",
        ),
        pytest.param(
            {"HOME": "/home/ann", "CLAUDE_CONFIG_DIR": "/home/ann/config"},
            f"{SYSTEM} --tmpfs /home/ann --bind /home/ann/config /home/ann/config"
            f" --tmpfs /home/ann/config/sessions --tmpfs /home/ann/config/backups"
            f" --tmpfs /home/ann/config/plugins {ITSELF} {OWN}",
            id="a login in another place",
        ),
        pytest.param(
            {"HOME": "/home/ann", "CLAUDE_CONFIG_DIR": "/nowhere"},
            f"{SYSTEM} --tmpfs /home/ann {ITSELF} {OWN}",
            id="no login there",
        ),
        pytest.param(
            {"HOME": "/home/ann", **KEY, "NODE_EXTRA_CA_CERTS": "/home/ann/ca.pem", "SSL_CERT_FILE": "/etc/ca.pem"},
            f"{SYSTEM} --tmpfs /home/ann {ITSELF} --ro-bind /home/ann/ca.pem /home/ann/ca.pem {OWN}",
            id="certificates",
        ),
        pytest.param(
            {"HOME": "/home/ann", "CLAUDE_CODE_USE_BEDROCK": "1", "AWS_CONFIG_FILE": "/home/ann/none"},
            f"{SYSTEM} --tmpfs /home/ann {ITSELF} --ro-bind /home/ann/.aws /home/ann/.aws {OWN}",
            id="a cloud",
        ),
        pytest.param(KEY, f"{SYSTEM} {OWN}", id="no home"),
        pytest.param({"HOME": "/", **KEY}, f"{SYSTEM} {OWN}", id="all is home"),
    ],
)
def test_what_it_sees(env: Mapping[str, str], argv: str) -> None:
    assert started(env) == f"/usr/bin/bwrap {argv}"


def test_what_is_not_there_is_not_hidden() -> None:
    """Nothing could be put over it."""
    assert started(KEY, frozenset()).startswith("/usr/bin/bwrap --unshare-pid --unshare-ipc --ro-bind / / --dev /dev")
    assert "--tmpfs" not in started({"HOME": "/home/ann", **KEY}, frozenset())


def test_there_is_no_death_signal_and_the_network_is_kept() -> None:
    words = started({"HOME": "/home/ann"}).split()
    assert not {"--die-with-parent", "--unshare-net", "--unshare-all", "--new-session"} & set(words)


def test_without_a_sandbox_nothing_comes_before_it() -> None:
    assert launch(PROGRAM, KEY, Directories("/w", "/t", "/c"), retries=0).sandbox == ()
