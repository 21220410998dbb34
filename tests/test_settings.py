"""Settings: from flags, the environment, defaults; what is refused and by which name."""

from pathlib import Path
from typing import Any

import attrs
import pytest

from cca.limits.policy import NO_LIMITS, Limits
from cca.settings import ALIAS_PATTERNS, PRICES, Settings, SettingsError, read_settings, reader, variable


def test_with_nothing_given_the_defaults_are_these() -> None:
    assert attrs.asdict(read_settings({}, {}), recurse=False) == {
        "host": "127.0.0.1",
        "port": 8000,
        "claude": None,
        "sandbox": "auto",
        "offline": False,
        "replay": None,
        "record": None,
        "database": None,
        "keep": False,
        "log_level": "warning",
        "log_format": "text",
        "log_content": False,
        "session_expiry": 86_400.0,
        "session_queue": 64,
        "limits": NO_LIMITS,
        "prices": PRICES,
        "processes": 0,
        "queue": 100,
        "waiting": None,
        "staying": 8,
        "staying_timeout": 300.0,
        "staying_memory": 2_000_000_000,
        "history_file_from": None,
        "choices": 4,
        "allowed_hosts": (),
        "allowed_origins": (),
        "first_event_timeout": 120.0,
        "silence_timeout": 300.0,
        "answer_timeout": 1800.0,
        "heartbeat": 15.0,
        "grace": 5.0,
        "body_limit": 20_000_000,
        "body_timeout": 60.0,
        "retries": 2,
        "self_test": True,
        "inherit": (),
        "models": ALIAS_PATTERNS,
    }


@pytest.mark.parametrize(
    ("name", "given", "value"),
    [
        ("host", "::1", "::1"),
        ("port", "0", 0),
        ("port", "65535", 65535),
        ("claude", "/opt/claude", Path("/opt/claude")),
        ("claude", "~/claude", Path("~/claude").expanduser()),
        ("offline", "1", True),
        ("offline", "Yes", True),
        ("offline", "TRUE", True),
        ("offline", "on", True),
        ("offline", "0", False),
        ("offline", "no", False),
        ("offline", "False", False),
        ("offline", "off", False),
        ("first_event_timeout", "0.5", 0.5),
        ("answer_timeout", "inf", float("inf")),
        ("database", "~/cca.db", Path("~/cca.db").expanduser()),
        ("keep", "on", True),
        ("session_expiry", "inf", float("inf")),
        ("session_expiry", "315360000", 315_360_000.0),
        ("session_queue", "0", 0),
        ("limits", "rpm=60,usd_per_day=0.5", Limits(rpm=60, usd_per_day=0.5)),
        ("limits", "", NO_LIMITS),
        ("prices", "a=1/2/3/4, *=0/0/0/0", ("a=1/2/3/4", "*=0/0/0/0")),
        ("processes", "300", 300),
        ("queue", "0", 0),
        ("waiting", "0", 0),
        ("staying", "0", 0),
        ("history_file_from", "0", 0),
        ("choices", "1", 1),
        ("allowed_hosts", "a.lan, b.lan", ("a.lan", "b.lan")),
        ("allowed_origins", "https://a.lan, http://B.lan:81", ("https://a.lan", "http://B.lan:81")),
        ("grace", "0", 0.0),
        ("retries", "0", 0),
        ("inherit", "A, B,,C_*", ("A", "B", "C_*")),
        ("inherit", ",", ()),
        ("models", "gpt-*=haiku, x = claude-y", ("gpt-*=haiku", "x = claude-y")),
        ("host", "", "127.0.0.1"),
        ("models", "", ALIAS_PATTERNS),
    ],
)
def test_the_environment_is_read_as_the_fields_type_and_an_empty_variable_is_none(
    name: str, given: str, value: Any
) -> None:
    read = getattr(read_settings({f"CCA_{name.upper()}": given}, {}), name)
    assert (type(read), read) == (type(value), value)


@pytest.mark.parametrize(
    ("environ", "flags", "port"),
    [
        ({"CCA_PORT": "1"}, {"port": 2}, 2),
        ({"CCA_PORT": "1"}, {"port": None}, 1),
        ({"CCA_PORT": "1"}, {"port": 0}, 0),
        ({}, {"other": 3}, 8000),
    ],
)
def test_a_flag_counts_before_the_environment(environ: dict[str, str], flags: dict[str, Any], port: int) -> None:
    assert read_settings(environ, flags).port == port


@pytest.mark.parametrize(
    ("name", "given", "words"),
    [
        ("PORT", "http", "CCA_PORT='http' cannot be used"),
        ("PORT", "8000.0", "CCA_PORT='8000.0' cannot be used"),
        ("PORT", "-1", "--port (CCA_PORT) is -1, and must be from 0 to 65535"),
        ("PORT", "65536", "--port (CCA_PORT) is 65536"),
        ("OFFLINE", "maybe", "CCA_OFFLINE='maybe' cannot be used: say 1 or 0"),
        ("FIRST_EVENT_TIMEOUT", "0", "CCA_FIRST_EVENT_TIMEOUT is 0, and must be from 0.001"),
        ("SILENCE_TIMEOUT", "-1", "CCA_SILENCE_TIMEOUT is -1"),
        ("ANSWER_TIMEOUT", "nan", "CCA_ANSWER_TIMEOUT is nan"),
        ("BODY_TIMEOUT", "0", "CCA_BODY_TIMEOUT is 0"),
        ("HEARTBEAT", "0", "CCA_HEARTBEAT is 0"),
        ("GRACE", "-0.1", "CCA_GRACE is -0.1, and must be from 0"),
        ("GRACE", "inf", "CCA_GRACE is inf, and must be from 0 to 86400"),
        ("GRACE", "86401", "CCA_GRACE is 86401"),
        ("BODY_LIMIT", "0", "CCA_BODY_LIMIT is 0, and must be from 1"),
        ("RETRIES", "-1", "CCA_RETRIES is -1"),
        ("SESSION_EXPIRY", "0", "CCA_SESSION_EXPIRY is 0, and must be from 0.001"),
        ("SESSION_EXPIRY", "nan", "CCA_SESSION_EXPIRY is nan"),
        ("SESSION_EXPIRY", "-inf", "CCA_SESSION_EXPIRY is -inf"),
        ("SESSION_EXPIRY", "1e15", "CCA_SESSION_EXPIRY is 1e+15, and must be from 0.001 to 315360000"),
        ("SESSION_QUEUE", "-1", "CCA_SESSION_QUEUE is -1, and must be from 0"),
        ("PROCESSES", "-1", "CCA_PROCESSES is -1, and must be from 0"),
        ("QUEUE", "1e3", "CCA_QUEUE='1e3' cannot be used"),
        ("LIMITS", "rpm=many", "CCA_LIMITS='rpm=many' cannot be used: "),
        ("PRICES", "haiku=1/2/3", "CCA_PRICES: 'haiku=1/2/3' is not PATTERN=INPUT/OUTPUT/CACHE_READ/CACHE_WRITE"),
        ("ALLOWED_ORIGINS", "*", "CCA_ALLOWED_ORIGINS: * is every page in the world"),
        ("ALLOWED_ORIGINS", "https://a.lan,null", "CCA_ALLOWED_ORIGINS: null is what a browser calls"),
        ("ALLOWED_ORIGINS", "https://a.lan/", "CCA_ALLOWED_ORIGINS: 'https://a.lan/' is not SCHEME://HOST"),
        ("MODELS", "gpt-4", "CCA_MODELS has 'gpt-4'"),
        ("MODELS", "=haiku", "CCA_MODELS has '=haiku'"),
        ("MODELS", " =haiku", "CCA_MODELS has"),
        ("MODELS", "gpt-4= ", "CCA_MODELS has"),
        ("MODELS", "a=b=c", "CCA_MODELS has 'a=b=c'"),
    ],
)
def test_what_cannot_be_used_is_refused_by_its_name(name: str, given: str, words: str) -> None:
    with pytest.raises(SettingsError) as refused:
        read_settings({f"CCA_{name}": given}, {})
    assert words in str(refused.value)


REPLAY: dict[str, Any] = {"replay": Path("kept")}
RECORD = {"record": Path("kept")}
CLAUDE = {"claude": Path("claude")}


@pytest.mark.parametrize(
    ("other", "name"),
    [
        (RECORD, "--record (CCA_RECORD)"),
        ({"offline": True}, "--offline (CCA_OFFLINE)"),
        (CLAUDE, "--claude (CCA_CLAUDE)"),
    ],
    ids=["record", "offline", "claude"],
)
def test_recordings_answer_without_claude_code(other: dict[str, Any], name: str) -> None:
    with pytest.raises(SettingsError) as refused:
        Settings(**REPLAY, **other)
    assert str(refused.value).startswith(f"--replay (CCA_REPLAY) and {name} exclude each other: ")


@pytest.mark.parametrize(
    "together",
    [{"offline": True, **RECORD}, {"offline": True, **CLAUDE}, {**RECORD, **CLAUDE}, {"offline": False, **REPLAY}],
    ids=["offline, record", "offline, claude", "record, claude", "replay, not offline"],
)
def test_what_goes_together(together: dict[str, Any]) -> None:
    Settings(**together)


def test_every_number_has_a_range_that_holds_its_default() -> None:
    """A new setting of time or size fails here until somebody says what it may be."""
    numbers = {attribute.name for attribute in attrs.fields(Settings) if attribute.type in (int, float)}
    for name in numbers:
        with pytest.raises(SettingsError, match=rf"CCA_{name.upper()}\)? is -1e"):
            read_settings({f"CCA_{name.upper()}": "-1000000000"}, {})


def test_every_field_has_a_variable_a_reader_and_a_word_for_people() -> None:
    for attribute in attrs.fields(Settings):
        assert variable(attribute) == f"CCA_{attribute.name.upper()}"
        assert callable(reader(attribute))
        assert attribute.metadata["help"]


def test_nothing_else_in_the_environment_is_a_setting() -> None:
    assert read_settings({"PORT": "1", "cca_port": "1", "CCA_": "1", "CCA_NEW": "1"}, {}) == Settings()
