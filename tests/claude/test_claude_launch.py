"""How Claude Code is started, against values written out by hand."""

import pytest

from cca.claude import launch as launching
from cca.claude.launch import (
    CREDENTIALS,
    OFFLINE_KEY,
    SWITCHES,
    Directories,
    for_one_message,
    from_file,
    has_key,
    inherited,
    is_on,
    knows_history,
    launch,
    needs_login,
    offline_environ,
    version_of,
)

OWN = Directories(work="/run/1/work", temporary="/run/1/tmp", config="/run/1/config")

PLAIN = {
    "PATH": "/bin",
    "HOME": "/home/me",
    "USER": "me",
    "LANG": "C.UTF-8",
    "LC_TIME": "C",
    "TZ": "UTC",
    "SSL_CERT_FILE": "/c",
    "HTTPS_PROXY": "http://proxy:3128",
}
FOREIGN = {
    "OPENAI_API_KEY": "sk-other",
    "DATABASE_URL": "postgres://secret",
    "AWS_SECRET_ACCESS_KEY": "aws",
    "GOOGLE_APPLICATION_CREDENTIALS": "/g.json",
    "NODE_OPTIONS": "--require=/evil.js",
    "LD_PRELOAD": "/evil.so",
    "CLAUDE_CODE_EXTRA_BODY": "{}",
    "ANTHROPIC_CUSTOM_HEADERS": "x: y",
    "CCA_PORT": "1",
    "PATHS": "no",
    "path": "no",
}
OURS = {
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "DISABLE_AUTOUPDATER": "1",
    "CLAUDE_CODE_DISABLE_ATTACHMENTS": "1",
    "DISABLE_COMPACT": "1",
    "CLAUDE_CODE_BLOCKING_LIMIT_OVERRIDE": "1000000000",
    "CLAUDE_CODE_DISABLE_LEGACY_MODEL_REMAP": "1",
    "CLAUDE_CODE_DISABLE_REFUSAL_RETRY": "1",
    "CLAUDE_AGENT_SDK_MCP_NO_PREFIX": "1",
    "ENABLE_TOOL_SEARCH": "0",
    "TMPDIR": "/run/1/tmp",
    "CLAUDE_CODE_MAX_RETRIES": "2",
}
ARGV = (
    "/opt/claude",
    "-p",
    "--input-format=stream-json",
    "--output-format=stream-json",
    "--verbose",
    "--include-partial-messages",
    "--tools=",
    "--system-prompt=",
    "--strict-mcp-config",
    "--setting-sources=",
    "--disable-slash-commands",
    "--no-session-persistence",
    "--allowedTools=mcp__c",
)
KEY = {"ANTHROPIC_API_KEY": "sk-ant"}
OAUTH = {"CLAUDE_CODE_OAUTH_TOKEN": "oauth"}
PRIVATE = {"CLAUDE_CONFIG_DIR": "/run/1/config"}


@pytest.mark.parametrize(
    ("given", "bare", "extra"),
    [
        pytest.param({}, (), {}, id="a login in the user's home"),
        pytest.param(
            {"CLAUDE_CONFIG_DIR": "/else"}, (), {"CLAUDE_CONFIG_DIR": "/else"}, id="a login where the user keeps it"
        ),
        pytest.param(KEY, ("--bare",), KEY | PRIVATE, id="a key needs nothing of the user's"),
        pytest.param(KEY | {"CLAUDE_CONFIG_DIR": "/else"}, ("--bare",), KEY | PRIVATE, id="a key comes before a login"),
        pytest.param(
            {"ANTHROPIC_AUTH_TOKEN": "t"}, ("--bare",), {"ANTHROPIC_AUTH_TOKEN": "t"} | PRIVATE, id="a gateway's token"
        ),
        pytest.param(OAUTH, (), OAUTH | PRIVATE, id="an OAuth token is not read in bare mode"),
        pytest.param({"ANTHROPIC_API_KEY": ""}, (), {"ANTHROPIC_API_KEY": ""}, id="an empty key is none"),
        pytest.param(
            {"CLAUDE_CODE_USE_BEDROCK": "1", "AWS_REGION": "eu"},
            ("--bare",),
            {"CLAUDE_CODE_USE_BEDROCK": "1", "AWS_REGION": "eu", "AWS_SECRET_ACCESS_KEY": "aws"} | PRIVATE,
            id="a cloud has its own credentials",
        ),
    ],
)
def test_the_launch_is_exactly_this(given: dict[str, str], bare: tuple[str, ...], extra: dict[str, str]) -> None:
    made = launch("/opt/claude", PLAIN | FOREIGN | given, OWN, retries=2)
    assert made.argv == ARGV + bare
    assert made.env == PLAIN | OURS | extra
    assert made.cwd == "/run/1/work"


def test_no_argument_takes_its_value_from_the_next() -> None:
    """``--system-prompt`` with its text in a second item ran code on an old version, where the text began with --."""
    assert all(argument == "-p" or argument.startswith("--") for argument in launching.ARGUMENTS)


def test_a_setting_adds_names_but_does_not_move_our_switches() -> None:
    given = {"MY_GATEWAY": "g", "MY_OTHER": "o", "DISABLE_COMPACT": "0", "TMPDIR": "/tmp"}  # noqa: S108
    names = ("MY_GATEWAY", "DISABLE_COMPACT", "TMPDIR", "ABSENT")
    made = launch("c", given, OWN, retries=0, inherit=names)
    assert made.env == OURS | {"MY_GATEWAY": "g", "CLAUDE_CODE_MAX_RETRIES": "0"}


@pytest.mark.parametrize(
    ("switch", "variable"),
    [
        ("CLAUDE_CODE_USE_BEDROCK", "AWS_PROFILE"),
        ("CLAUDE_CODE_USE_BEDROCK", "AWS_CONTAINER_CREDENTIALS_FULL_URI"),
        ("CLAUDE_CODE_USE_VERTEX", "GOOGLE_APPLICATION_CREDENTIALS"),
        ("CLAUDE_CODE_USE_VERTEX", "VERTEX_REGION_CLAUDE_X"),
        ("CLAUDE_CODE_USE_FOUNDRY", "ANTHROPIC_FOUNDRY_API_KEY"),
    ],
)
@pytest.mark.parametrize(("value", "on"), [("1", True), ("true", True), ("0", False), ("", False), ("False", False)])
def test_a_clouds_variables_count_only_while_its_switch_is_on(
    switch: str,
    variable: str,
    value: str,
    on: bool,  # noqa: FBT001
) -> None:
    given = {switch: value, variable: "v"}
    assert inherited(given) == (given if on else {})
    assert inherited({variable: "v"}) == {}


LOCAL = "127.0.0.1,localhost,::1"


@pytest.mark.parametrize(
    ("base_url", "given", "no_proxy"),
    [
        ("http://127.0.0.1:9000", {}, {"NO_PROXY": LOCAL, "no_proxy": LOCAL}),
        ("http://localhost/v1", {}, {"NO_PROXY": LOCAL, "no_proxy": LOCAL}),
        ("http://LOCALHOST", {}, {"NO_PROXY": LOCAL, "no_proxy": LOCAL}),
        ("http://[::1]:9", {"NO_PROXY": "corp"}, {"NO_PROXY": f"corp,{LOCAL}", "no_proxy": LOCAL}),
        ("http://127.0.0.1", {"no_proxy": "a,b"}, {"NO_PROXY": LOCAL, "no_proxy": f"a,b,{LOCAL}"}),
        ("https://api.example.com", {"NO_PROXY": "corp"}, {"NO_PROXY": "corp"}),
        ("https://127.0.0.1.nip.io", {}, {}),
        ("http://[::1", {}, {}),
    ],
)
def test_loopback_and_only_loopback_is_kept_from_proxies(
    base_url: str, given: dict[str, str], no_proxy: dict[str, str]
) -> None:
    assert inherited({"ANTHROPIC_BASE_URL": base_url, **given}) == {"ANTHROPIC_BASE_URL": base_url, **no_proxy}


def test_offline_nothing_but_the_scripted_model_counts() -> None:
    given = {
        **PLAIN,
        **KEY,
        **OAUTH,
        "ANTHROPIC_BASE_URL": "https://gateway",
        "ANTHROPIC_AUTH_TOKEN": "t",
        "CLAUDE_CONFIG_DIR": "/else",
        "CLAUDE_CODE_USE_VERTEX": "1",
        "CLAUDE_CODE_USE_BEDROCK": "1",
        "CLAUDE_CODE_USE_FOUNDRY": "1",
        "AWS_SECRET_ACCESS_KEY": "aws",
        "http_proxy": "p",
        "ALL_PROXY": "p",
        "No_Proxy": "p",
    }
    environ = offline_environ(given, "http://127.0.0.1:9")
    del given["HTTPS_PROXY"]
    assert environ == {
        **{name: value for name, value in PLAIN.items() if name != "HTTPS_PROXY"},
        "ANTHROPIC_BASE_URL": "http://127.0.0.1:9",
        "ANTHROPIC_API_KEY": OFFLINE_KEY,
    }
    made = launch("c", environ, OWN, retries=2)
    assert made.argv[-1] == "--bare"
    assert made.env["NO_PROXY"] == LOCAL


def test_every_variable_that_holds_a_secret_is_known_as_one() -> None:
    assert {
        "ANTHROPIC_API_KEY",
        "ANTHROPIC_AUTH_TOKEN",
        "CLAUDE_CODE_OAUTH_TOKEN",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_BEARER_TOKEN_BEDROCK",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "ANTHROPIC_FOUNDRY_API_KEY",
    } == CREDENTIALS
    assert not CREDENTIALS & set(SWITCHES)


@pytest.mark.parametrize(
    ("env", "key", "login"),
    [
        ({}, False, True),
        (KEY, True, False),
        (OAUTH, False, False),
        ({"CLAUDE_CODE_USE_VERTEX": "yes"}, True, False),
        ({"CLAUDE_CODE_USE_VERTEX": "off"}, False, True),
    ],
)
def test_who_needs_the_users_login(env: dict[str, str], key: bool, login: bool) -> None:  # noqa: FBT001
    assert (has_key(env), needs_login(env)) == (key, login)


@pytest.mark.parametrize(("value", "on"), [(None, False), ("", False), ("NO", False), ("Off", False), ("x", True)])
def test_switches_are_read_as_claude_code_reads_them(value: str | None, on: bool) -> None:  # noqa: FBT001
    assert is_on(value) is on


@pytest.mark.parametrize(
    ("printed", "version"),
    [
        ("2.1.330 (Claude Code)\n", (2, 1, 330)),
        ("2.1.9 (Claude Code)", (2, 1, 9)),
        ("10.0.0 (Claude Code)", (10, 0, 0)),
        ("2.2.0-beta.1 (Claude Code)\n", (2, 2, 0)),
        ("10.9.0\n", None),
        ("git version 2.43.0\n", None),
        ("v22.1.0", None),
        ("2.1 (Claude Code)", None),
        ("\u0662.1.330 (Claude Code)", None),
        ("", None),
        ("Segmentation fault", None),
    ],
)
def test_only_claude_code_says_its_version(printed: str, version: tuple[int, int, int] | None) -> None:
    assert version_of(printed) == version


def test_a_program_from_a_file_has_its_path_and_nothing_of_what_stands_in_it() -> None:
    plain = launch("claude", {}, Directories("w", "t", "c"), retries=2)
    known = from_file(plain, "/run/1/history.jsonl")
    assert known.argv == (*plain.argv, "--resume=/run/1/history.jsonl")
    assert (known.env, known.cwd) == (plain.env, plain.cwd)
    assert [knows_history(each.argv) for each in (plain, known)] == [False, True]


def test_a_program_for_one_message_has_a_budget_that_any_message_spends() -> None:
    plain = launch("claude", {}, Directories("w", "t", "c"), retries=2)
    once = for_one_message(plain)
    assert once.argv == (*plain.argv, "--max-budget-usd=0.0000000001")
    assert (once.env, once.cwd) == (plain.env, plain.cwd)
