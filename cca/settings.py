"""Every setting, with its default and the reason for it. One frozen value, from flags and the environment."""

import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

import attrs
from attrs import Attribute, field, frozen

from cca.limits.policy import EXAMPLE, NO_LIMITS, Limits, parse_limits
from cca.origins import origin_of
from cca.prices import prices_of

T = TypeVar("T")

ALIAS_PATTERNS = (
    "gpt-3.5*=haiku",
    "*-mini=haiku",
    "*-nano=haiku",
    "gpt-*=sonnet",
    "chatgpt-*=sonnet",
    "o1*=opus",
    "o3*=opus",
    "o4*=opus",
    "*-pro=opus",
)


PRICES = (
    "claude-3-5-haiku*=0.8/4/0.08/1",
    "claude-haiku-5-5*=0.1/0.5/0.01/0.125",
    "claude-haiku-*=1/5/0.1/1.25",
    "claude-sonnet-5-5*=2/10/0.1/2.5",
    "claude-sonnet-5*=2/10/0.2/2.5",
    "claude-sonnet-*=3/15/0.3/3.75",
    "claude-opus-5-5*=4/20/0.2/5",
    "claude-opus-*=5/25/0.5/6.25",
    "claude-fable-*=10/50/1/12.5",
    "*=4/20/0.2/5",
)
"""What Claude Code 2.1.330 itself counts, by its results. Once a prompt is over 100,000 tokens it counts Haiku 5.5 five
times, which no row says.
"""


MOST_EXPIRY = 10 * 365 * 86_400.0
"""Seconds: what is to be kept for longer than ten years need not expire, and a calendar ends somewhere."""


class SettingsError(ValueError):
    """A flag or an environment variable that cannot be used; the message names it."""


def setting(default: T, help: str, *, flag: bool = False) -> T:  # noqa: A002 - argparse's word
    return field(default=default, metadata={"help": help, "flag": flag})


@frozen(kw_only=True)
class Settings:
    """``cca``'s settings. Times are in seconds, sizes in bytes. A field ``x_y`` is ``CCA_X_Y`` in the environment."""

    host: str = setting("127.0.0.1", "address to listen on; another than loopback needs an API key", flag=True)
    port: int = setting(8000, "port to listen on; 0 picks a free one", flag=True)
    claude: Path | None = setting(None, "the Claude Code program; else PATH, then claude-agent-sdk's", flag=True)
    sandbox: str = setting(
        "auto",
        "bubblewrap around Claude Code, on Linux: auto, where it works; on, or cca ends; off",
        flag=True,
    )
    offline: bool = setting(
        default=False,
        help="let Claude Code talk to a scripted model on this machine; needs no account",
        flag=True,
    )
    replay: Path | None = setting(None, "answer from the recordings in this directory, without Claude Code", flag=True)
    record: Path | None = setting(None, "record every conversation into this directory", flag=True)

    database: Path | None = setting(
        None, "the file of sessions, keys and usage; else cca/sessions.db in the user's state directory", flag=True
    )
    keep: bool = setting(default=False, help="keep the text of requests that name no session, too", flag=True)
    session_expiry: float = setting(
        86_400.0, "that a session is kept after its last use, at most ten years; inf keeps it"
    )
    session_queue: int = setting(64, "requests that may wait for one session, one of which is answered at a time")

    log_level: str = setting("warning", "what is logged, from: debug, info, warning or error", flag=True)
    log_format: str = setting("text", "an entry of the log is a line of: text or json", flag=True)
    log_content: bool = setting(default=False, help="log, at debug, what is asked and answered, and what faults say")

    limits: Limits = setting(NO_LIMITS, f"for all keys together, as in {EXAMPLE}", flag=True)
    prices: tuple[str, ...] = setting(
        PRICES, "PATTERN=INPUT/OUTPUT/CACHE_READ/CACHE_WRITE: US dollars per million tokens, first match first"
    )
    processes: int = setting(
        0, "Claude Code processes at once, whatever they do; 0 is one for each 400 MB of memory, and at most 8"
    )
    queue: int = setting(100, "requests that may wait for a process")
    waiting: int | None = setting(
        None, "processes that are started ahead of demand; 0 for none; else 2, or 1 on a small machine"
    )
    staying: int = setting(
        8,
        "processes that may stay for what comes next, at most: those that wait have room; each takes 90 to 190 MB",
    )
    staying_timeout: float = setting(300.0, "for that to come; prompts are cached for as long")
    staying_memory: int = setting(
        2_000_000_000, "bytes that they may have for themselves, all together; known on Linux alone"
    )
    history_file_from: int | None = setting(
        None,
        "past turns of a user's from which on a history goes in as a file; 0 for never; else 40, or 5 where no process "
        "waits: about where that becomes faster than turn by turn",
    )
    choices: int = setting(4, "choices that one request may ask for; each is a process of its own")
    allowed_hosts: tuple[str, ...] = setting((), "further names under which clients may reach cca, as their Host says")
    allowed_origins: tuple[str, ...] = setting(
        (), "origins of web pages that may ask, as in https://app.example.com, once there is an API key"
    )

    first_event_timeout: float = setting(
        120.0, "to the model's first event; a cold cache and a long prompt take a minute"
    )
    silence_timeout: float = setting(300.0, "of silence from Claude Code after it; long thinking sends pings")
    answer_timeout: float = setting(1800.0, "for a whole answer; the longest outputs take about this")
    heartbeat: float = setting(
        15.0, "between SSE comments, or Anthropic's pings, while the model is silent; proxies cut at 30 or 60"
    )
    grace: float = setting(5.0, "that answers under way may take to end when the server stops")
    body_limit: int = setting(
        20_000_000, "bytes in a request body, and in a session's history; Anthropic's own limit is 32 MB with images"
    )
    body_timeout: float = setting(60.0, "for a request body to arrive")
    retries: int = setting(2, "tries that Claude Code adds when its API fails; its own default of 10 takes minutes")
    self_test: bool = setting(
        default=True,
        help="start Claude Code on a model of cca's own first, and after each update of it, and see that it does "
        "nothing by itself",
    )
    inherit: tuple[str, ...] = setting((), "names of further environment variables that Claude Code may see")
    models: tuple[str, ...] = setting(
        ALIAS_PATTERNS,
        "PATTERN=MODEL: other vendors' model names and what answers to them, first match first",
    )

    @property
    def expires_after(self) -> float | None:
        """Seconds that a new session is kept after its last use; ``None`` keeps it."""
        return None if self.session_expiry == math.inf else self.session_expiry

    def __attrs_post_init__(self) -> None:
        for name, (least, most) in _RANGES.items():
            value = getattr(self, name)
            if value is not None and not least <= value <= most and (name, value) != ("session_expiry", math.inf):
                raise SettingsError(f"{spelled(name)} is {value:g}, and must be from {least:.12g} to {most:.12g}.")
        if self.sandbox not in ("auto", "on", "off"):
            raise SettingsError(f"{spelled('sandbox')} is {self.sandbox!r}; say auto, on or off.")
        for name, words in _WORDS.items():
            if getattr(self, name) not in words:
                raise SettingsError(
                    f"{spelled(name)} is {getattr(self, name)!r}, and must be one of: {', '.join(words)}."
                )
        try:
            prices_of(self.prices)
        except ValueError as error:
            raise SettingsError(f"CCA_PRICES: {error}.") from error
        for origin in self.allowed_origins:
            try:
                origin_of(origin)
            except ValueError as error:
                raise SettingsError(f"CCA_ALLOWED_ORIGINS: {error}.") from error
        for row in self.models:
            if not re.fullmatch(r"\s*[^=\s][^=]*=\s*[^=\s][^=]*", row):
                raise SettingsError(f"CCA_MODELS has {row!r}; each entry is PATTERN=MODEL, with commas between them.")
        for name in ("record", "offline", "claude"):
            if self.replay is not None and getattr(self, name):
                raise SettingsError(
                    f"{spelled('replay')} and {spelled(name)} exclude each other: recordings answer without Claude "
                    "Code. Leave one of them out."
                )


def read_settings(environ: Mapping[str, str], flags: Mapping[str, Any]) -> Settings:
    """Return the settings: a flag that is given counts first, then the environment, then the default.

    Raise ``SettingsError`` for a value that cannot be read.
    """
    values: dict[str, Any] = {}
    for attribute in attrs.fields(Settings):
        given = environ.get(variable(attribute))
        if flags.get(attribute.name) is not None:
            values[attribute.name] = flags[attribute.name]
        elif given:
            values[attribute.name] = _read(attribute, given)
    return Settings(**values)


def variable(attribute: "Attribute[Any]") -> str:
    return f"CCA_{attribute.name.upper()}"


def flag(attribute: "Attribute[Any]") -> str:
    return f"--{attribute.name.replace('_', '-')}"


def spelled(name: str) -> str:
    """Return how a setting is given, for a message that tells of it: ``--port (CCA_PORT)``."""
    attribute = attrs.fields_dict(Settings)[name]
    return f"{flag(attribute)} ({variable(attribute)})" if attribute.metadata["flag"] else variable(attribute)


def reader(attribute: "Attribute[Any]") -> Callable[[str], Any]:
    """Return what turns a flag's or a variable's text into the field's type."""
    kinds = [kind for kind in (get_args(attribute.type) or [attribute.type]) if kind is not type(None)]
    return _READERS[kinds[0]] if attribute.type not in _READERS else _READERS[attribute.type]


def _read(attribute: "Attribute[Any]", given: str) -> Any:
    try:
        return reader(attribute)(given)
    except ValueError as error:
        raise SettingsError(f"{variable(attribute)}={given!r} cannot be used: {error}") from error


def _switch(given: str) -> bool:
    words = {
        "1": True,
        "true": True,
        "yes": True,
        "on": True,
        "0": False,
        "false": False,
        "no": False,
        "off": False,
    }
    try:
        return words[given.lower()]
    except KeyError:
        raise ValueError("say 1 or 0") from None


def _listed(given: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in given.split(",") if item.strip())


_RANGES: Mapping[str, tuple[float, float]] = {
    "port": (0, 65_535),
    "first_event_timeout": (0.001, math.inf),
    "silence_timeout": (0.001, math.inf),
    "staying_timeout": (0.001, math.inf),
    "answer_timeout": (0.001, math.inf),
    "body_timeout": (0.001, math.inf),
    "heartbeat": (0.001, math.inf),
    "grace": (0, 86_400),
    "body_limit": (1, math.inf),
    "retries": (0, 1000),
    "session_expiry": (0.001, MOST_EXPIRY),
    "session_queue": (0, 100_000),
    "processes": (0, 10_000),
    "queue": (0, 100_000),
    "waiting": (0, 10_000),
    "staying": (0, 10_000),
    "staying_memory": (0, math.inf),
    "history_file_from": (0, 1_000_000),
    "choices": (1, 128),
}
"""What a number may be, both ends included. A time of nothing would end, or repeat, what it is for at once. The
grace is also told to a timer of the system's, which takes no infinity. A session that does not expire is said by one.
"""

_WORDS: Mapping[str, tuple[str, ...]] = {
    "log_level": ("debug", "info", "warning", "error"),
    "log_format": ("text", "json"),
}
"""What a setting of one word may be."""

_READERS: Mapping[Any, Callable[[str], Any]] = {
    str: str,
    int: int,
    float: float,
    bool: _switch,
    Path: lambda given: Path(given).expanduser(),
    tuple[str, ...]: _listed,
    Limits: parse_limits,
}
