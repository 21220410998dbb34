"""How Claude Code is started: its arguments, its environment, its directories. Nothing of a request is in any of them.

The environment is an allow-list, in one table. What the server has besides (database passwords, other vendors' keys)
stays with the server: the model could ask for it.
"""

import re
from collections.abc import Mapping, Sequence
from fnmatch import translate
from functools import cache
from urllib.parse import urlsplit

from attrs import evolve, frozen

from cca.claude.frames import TOOL_SERVER
from cca.claude.sandbox import Sandbox

MINIMUM_VERSION = (2, 1, 248)
"""The first version that takes ``client_composed``; an older one reads files that a prompt mentions."""

ARGUMENTS = (
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
    f"--allowedTools=mcp__{TOOL_SERVER}",
)

SPENT_AT_ONCE = "--max-budget-usd=0.0000000001"

GOES_ON = "--resume="

PLAIN = (
    *("PATH", "HOME", "USER", "LANG", "LC_*", "TZ"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS"),
    *(
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "NO_PROXY",
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "no_proxy",
    ),
    *("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL", "CLAUDE_CODE_OAUTH_TOKEN"),
)

CLOUDS: Mapping[str, tuple[str, ...]] = {
    "CLAUDE_CODE_USE_BEDROCK": (
        *(
            "AWS_REGION",
            "AWS_DEFAULT_REGION",
            "AWS_PROFILE",
            "AWS_CONFIG_FILE",
            "AWS_SHARED_CREDENTIALS_FILE",
        ),
        *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_BEARER_TOKEN_BEDROCK"),
        *(
            "AWS_ROLE_ARN",
            "AWS_ROLE_SESSION_NAME",
            "AWS_WEB_IDENTITY_TOKEN_FILE",
            "AWS_CONTAINER_CREDENTIALS_*",
        ),
        *("ANTHROPIC_BEDROCK_BASE_URL", "CLAUDE_CODE_SKIP_BEDROCK_AUTH"),
    ),
    "CLAUDE_CODE_USE_VERTEX": (
        *("CLOUD_ML_REGION", "VERTEX_REGION_*", "ANTHROPIC_VERTEX_PROJECT_ID", "ANTHROPIC_VERTEX_BASE_URL"),
        *("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT", "CLOUDSDK_CONFIG"),
        "CLAUDE_CODE_SKIP_VERTEX_AUTH",
    ),
    "CLAUDE_CODE_USE_FOUNDRY": (
        *("ANTHROPIC_FOUNDRY_RESOURCE", "ANTHROPIC_FOUNDRY_BASE_URL", "ANTHROPIC_FOUNDRY_API_KEY"),
        "CLAUDE_CODE_SKIP_FOUNDRY_AUTH",
    ),
}
"""Variables that count only while their cloud's switch is on."""

SWITCHES: Mapping[str, str] = {
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "DISABLE_AUTOUPDATER": "1",
    # A second wall behind client_composed: no text of a prompt makes the program read a file.
    "CLAUDE_CODE_DISABLE_ATTACHMENTS": "1",
    # It would put a summary of its own, for two more requests, in the place of a long history.
    "DISABLE_COMPACT": "1",
    # Tokens by its own rough count, past which it refuses to ask; how much the context holds is for the API to say.
    "CLAUDE_CODE_BLOCKING_LIMIT_OVERRIDE": "1000000000",
    # It would ask the newest of the family in the place of an old model, and drop what that one thought.
    "CLAUDE_CODE_DISABLE_LEGACY_MODEL_REMAP": "1",
    # It would ask once more after a refusal, for an answer that nobody waits for.
    "CLAUDE_CODE_DISABLE_REFUSAL_RETRY": "1",
    "CLAUDE_AGENT_SDK_MCP_NO_PREFIX": "1",
    "ENABLE_TOOL_SEARCH": "0",
}

CREDENTIALS = frozenset(
    name
    for name in (*PLAIN, *(name for names in CLOUDS.values() for name in names))
    if any(word in name for word in ("KEY", "TOKEN", "SECRET"))
)
"""Names of variables whose values are secrets."""

OFFLINE_KEY = "any-key-for-the-scripted-model"

LOOPBACK = ("127.0.0.1", "localhost", "::1")


@frozen
class Directories:
    """A process's own places: an empty working directory, one for temporary files, one for its configuration."""

    work: str
    temporary: str
    config: str


@frozen
class Launch:
    """``sandbox`` is what its arguments follow, where it is started in one."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: str
    sandbox: tuple[str, ...] = ()


def launch(
    program: str,
    environ: Mapping[str, str],
    directories: Directories,
    *,
    retries: int,
    inherit: tuple[str, ...] = (),
    sandbox: Sandbox | None = None,
) -> Launch:
    """Return how to start ``program`` for a server that runs with ``environ``."""
    env = inherited(environ, inherit)
    env |= SWITCHES
    env |= {"TMPDIR": directories.temporary, "CLAUDE_CODE_MAX_RETRIES": str(retries)}
    if not needs_login(env):
        env["CLAUDE_CONFIG_DIR"] = directories.config
    elif "CLAUDE_CONFIG_DIR" in environ:
        env["CLAUDE_CONFIG_DIR"] = environ["CLAUDE_CONFIG_DIR"]
    # Without --bare each request tells the model of the machine; with it, no login is read.
    bare = ("--bare",) if has_key(env) else ()
    own, _, _ = directories.work.rpartition("/")
    before = () if sandbox is None else sandbox.before(env, own, directories.work, login=needs_login(env))
    return Launch((program, *ARGUMENTS, *bare), env, directories.work, before)


def for_one_message(launch: Launch) -> Launch:
    """Return a launch of a program that ends by itself after one message of the model's.

    After a limit of tokens it would go on, and pay for more; on a busy machine the kill can come too late to keep it
    from that. Any message has cost more than this budget. Its price: one that breaks off is not asked for again.
    """
    return evolve(launch, argv=(*launch.argv, SPENT_AT_ONCE))


def from_file(launch: Launch, path: str) -> Launch:
    """Return a launch of a program that knows the history in the session file at ``path``, which ends with .jsonl."""
    return evolve(launch, argv=(*launch.argv, GOES_ON + path))


def knows_history(argv: Sequence[str]) -> bool:
    """Whether a program that was started so has a history from a file."""
    return any(item.startswith(GOES_ON) for item in argv)


def inherited(environ: Mapping[str, str], inherit: tuple[str, ...] = ()) -> dict[str, str]:
    """Return the part of ``environ`` that the program may see, with loopback kept away from proxies."""
    patterns = [*PLAIN, *inherit]
    for switch, names in CLOUDS.items():
        if is_on(environ.get(switch)):
            patterns += [switch, *names]
    seen = _any_of(tuple(patterns))
    env = {name: value for name, value in environ.items() if seen.match(name)}
    if _host(env.get("ANTHROPIC_BASE_URL", "")) in LOOPBACK:
        for name in ("NO_PROXY", "no_proxy"):
            env[name] = ",".join(filter(None, (env.get(name), *LOOPBACK)))
    return env


@cache
def _any_of(patterns: tuple[str, ...]) -> re.Pattern[str]:
    """Return what matches a name that one of the patterns does, whole. It is asked for at each start of a process."""
    return re.compile("|".join(map(translate, patterns)))


def _host(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def offline_environ(environ: Mapping[str, str], base_url: str) -> dict[str, str]:
    """Return ``environ`` with the model at ``base_url``: other addresses, keys, logins and proxies do not count."""
    names = {*CREDENTIALS, *CLOUDS, "ANTHROPIC_BASE_URL", "CLAUDE_CONFIG_DIR"}
    kept = {name: value for name, value in environ.items() if name not in names and not name.lower().endswith("_proxy")}
    return {**kept, "ANTHROPIC_BASE_URL": base_url, "ANTHROPIC_API_KEY": OFFLINE_KEY}


def has_key(env: Mapping[str, str]) -> bool:
    """Whether the program finds its credentials without any login of the user's."""
    return (
        bool(env.get("ANTHROPIC_API_KEY"))
        or bool(env.get("ANTHROPIC_AUTH_TOKEN"))
        or any(is_on(env.get(switch)) for switch in CLOUDS)
    )


def needs_login(env: Mapping[str, str]) -> bool:
    """Whether the program must read the user's configuration, because the login is there."""
    return not has_key(env) and not env.get("CLAUDE_CODE_OAUTH_TOKEN")


def is_on(value: str | None) -> bool:
    return (value or "").lower() not in ("", "0", "false", "no", "off")


def version_of(printed: str) -> tuple[int, int, int] | None:
    """Return the version in what ``claude --version`` printed, as in ``2.1.330 (Claude Code)``; nothing, for others."""
    found = re.match(r"(\d+)\.(\d+)\.(\d+)\S* \(Claude Code\)", printed, re.ASCII)
    return (int(found[1]), int(found[2]), int(found[3])) if found else None
