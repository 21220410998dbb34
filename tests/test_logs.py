"""The log: what an entry never holds, and that it is one line, whatever is logged."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Any

import pytest

from cca.errors import BadRequest
from cca.logs import ACCEPTING, FIELDS, WITHHELD, Entries, Seldom, Sink, hidden, one_line, open_log, tune_log
from cca.settings import Settings

PROMPT = "Tell nobody that the treasure is under the oak."

SECRETS = {
    "a key of cca's": "sk-cca-0001020304050607-abcdefghijklmnopqrstuvwxyz012345",
    "Anthropic's": "sk-ant-api03-abcdefghijklmnopqrstuvwxyz",
    "OpenAI's": "sk-proj-abcdefghijklmnopqrstuvwxyz",
    "GitHub's": "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
    "AWS's": "AKIAABCDEFGHIJKLMNOP",
    "a bearer's": "Bearer abcdefghijklmnop.qrstuvwxyz",
    "a JWT": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.abc",
    "an address": "ann.lee@example.org",
    "a private key": "-----BEGIN PRIVATE KEY-----\nMIIabc\n-----END PRIVATE KEY-----",
}

ENVIRON = {
    "HOME": "/home/ann",
    "DATABASE_PASSWORD": "correct horse battery",
    "HTTPS_PROXY": "http://ann:swordfish@proxy:1",
    "NO_PROXY": "localhost",
    "SHORT_KEY": "x",
    "LANG": "C.UTF-8",
}


def entry(record: logging.LogRecord, **how: Any) -> str:
    return Entries(hidden(ENVIRON), **how).format(record)


def record(message: str, *arguments: Any, fault: BaseException | None = None, **fields: Any) -> logging.LogRecord:
    made = logging.LogRecord(
        "cca.web", logging.WARNING, "x.py", 1, message, arguments, None if fault is None else (type(fault), fault, None)
    )
    made.created = 0.0
    setattr(made, FIELDS, fields)
    return made


BOTH = pytest.mark.parametrize("as_json", [False, True], ids=["text", "json"])


def accepting(at: float, name: str = ACCEPTING) -> logging.LogRecord:
    made = record("accept returned %s", "EMFILE")
    made.name, made.created = name, at
    return made


def test_what_trio_says_ten_times_a_second_is_said_once_a_minute() -> None:
    """R-22: without descriptors it would fill the disk. A clock that was set back keeps nothing from the log."""
    seldom = Seldom()
    times = [100.0, 100.1, 159.9, 160.0, 160.1, 5.0, 5.1]
    assert [at for at in times if seldom.filter(accepting(at))] == [100.0, 160.0, 5.0]
    assert all(seldom.filter(accepting(5.2, name)) for name in ("cca.web", "trio"))
    assert any(isinstance(each, Seldom) for each in Sink({}).filters)


@BOTH
@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
def test_no_entry_holds_a_secret(secret: str, as_json: bool) -> None:  # noqa: FBT001
    """S-63, S-10: in a message, in its arguments, in a field, in a fault, and escaped in JSON."""
    fault = OSError(28, f"no room for {secret}")
    quoted = json.dumps({"key": secret})
    made = record(f"one {secret} %s", secret, fault=fault, key=secret, nested=[{"a": quoted}])
    told = entry(made, as_json=as_json, content=True)
    assert secret.rpartition("\n")[2].removeprefix("Bearer ") not in told
    assert "MIIabc" not in told


@BOTH
def test_no_entry_holds_what_the_servers_environment_keeps_secret(as_json: bool) -> None:  # noqa: FBT001
    told = entry(record("%s", " ".join(ENVIRON.values())), as_json=as_json)
    assert "correct horse" not in told
    assert "swordfish" not in told
    assert "/home/ann" not in told
    assert "<home>" in told
    assert "localhost" in told


def test_a_text_is_what_it_is_but_for_that() -> None:
    made = record("%d of %s", 3, "x.py", route="/v1/messages", ms=5)
    assert entry(made).split(" ", 1)[1] == "WARNING cca.web: 3 of x.py route=/v1/messages ms=5"
    assert entry(record("a")).endswith("cca.web: a")


def test_json_has_its_fields_by_name() -> None:
    told = json.loads(entry(record("a", route="/", ms=5), as_json=True))
    del told["at"]
    assert told == {"level": "warning", "from": "cca.web", "message": "a", "route": "/", "ms": 5}


UNSEEN = ["a\nb", "a\r\nb", "a\x1b[2Kb", "a\x00b", "a\x85b", "a\u2028b", "a\u2029b", "a\u202eb", "a\ud800b", "a\x7fb"]


@BOTH
@pytest.mark.parametrize("text", UNSEEN, ids=ascii)
def test_an_entry_is_one_line_that_shows_all_it_has(text: str, as_json: bool) -> None:  # noqa: FBT001
    """S-63: nobody forges an entry, or hides one."""
    told = entry(record("%s", text, field=text), as_json=as_json)
    assert len(told.splitlines()) == 1
    assert told.isprintable()
    assert json.loads(told)["field"] == text if as_json else one_line(text) in told


def raised(fault: BaseException, cause: BaseException | None = None) -> BaseException:
    try:
        raise fault from cause  # noqa: TRY301 - to be caught
    except BaseException as caught:  # noqa: BLE001
        return caught


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (KeyError(PROMPT), WITHHELD),
        (ValueError(PROMPT), WITHHELD),
        (BadRequest(PROMPT, "messages[0]"), WITHHELD),
        (OSError(28, "No space left on device", PROMPT), "OSError: No space left on device"),
        (OSError(PROMPT), WITHHELD),
        (AttributeError("no attribute 'x'"), "AttributeError: no attribute 'x'"),
        (ExceptionGroup(PROMPT, [ValueError(PROMPT), KeyError(PROMPT)]), "ExceptionGroup: 2 of them"),
    ],
    ids=lambda value: type(value).__name__,
)
@BOTH
def test_a_fault_tells_its_kind_and_its_place_and_nothing_that_was_said(
    fault: BaseException,
    words: str,
    as_json: bool,  # noqa: FBT001
) -> None:
    """S-63."""
    told = entry(record("A fault.", fault=raised(fault, raised(ValueError(PROMPT)))), as_json=as_json)
    assert PROMPT not in told
    assert words in told
    assert f"{__file__}:" in told
    assert "raised" in told
    assert len(told.splitlines()) == 1


def test_the_fault_that_was_there_before_is_told_too() -> None:
    try:
        try:
            raise KeyError(PROMPT)  # noqa: TRY301 - the same
        except KeyError:
            raise TypeError("not that")  # noqa: B904 - the same
    except TypeError as caught:
        told = entry(record("A fault.", fault=caught))
    assert told.index("TypeError: not that") < told.index(f"KeyError: {WITHHELD}")
    assert PROMPT not in told


def test_what_a_fault_says_is_there_for_whoever_asks_for_it() -> None:
    told = entry(record("A fault.", fault=raised(ValueError(PROMPT))), content=True)
    assert PROMPT in told
    assert len(told.splitlines()) == 1


@contextmanager
def bare() -> Iterator[logging.Logger]:
    """Own the root of the loggers, without the handlers of the tests' own."""
    root, ours = logging.getLogger(), logging.getLogger("cca")
    handlers, levels = root.handlers[:], (root.level, ours.level)
    root.handlers.clear()
    try:
        yield root
    finally:
        root.handlers[:] = handlers
        root.setLevel(levels[0])
        ours.setLevel(levels[1])


def test_a_log_is_opened_once_and_tuned() -> None:
    with bare() as root:
        open_log(ENVIRON)
        [sink] = root.handlers
        assert isinstance(sink, Sink)
        written = StringIO()
        sink.setStream(written)
        log = logging.getLogger("cca.somewhere")
        log.info("unheard")
        tune_log(Settings(log_level="info", log_format="json"))
        log.info("heard")
        open_log(ENVIRON)
        assert root.handlers == [sink]
    [line] = written.getvalue().splitlines()
    assert json.loads(line)["message"] == "heard"


def test_another_sink_is_left_alone() -> None:
    with bare() as root:
        other = logging.StreamHandler(StringIO())
        root.addHandler(other)
        open_log(ENVIRON)
        tune_log(Settings(log_format="json"))
        assert root.handlers == [other]
        assert other.formatter is None


def test_what_cannot_be_logged_is_nowhere(capsys: pytest.CaptureFixture[str]) -> None:
    """Python would print what was to be logged, and where."""
    with bare():
        open_log(ENVIRON)
        logging.getLogger("cca").warning("%d", PROMPT)
    assert capsys.readouterr().err == ""
