"""``cca usage``: what was used, in a table with its totals."""

import json
import re
from pathlib import Path
from typing import Any

import attrs
import pytest

from cca.__main__ import CANNOT_START, main
from cca.errors import BadRequest, NotFound
from cca.model import Usage
from cca.store import exchanges, usage
from cca.store.exchanges import Exchange
from command_harness import ANN, BOB, NOW, Desk

Captured = pytest.CaptureFixture[str]

DAY = 86_400.0
HAIKU, SONNET = "claude-haiku-5-5", "claude-sonnet-5-5"

SHORT = Exchange("req_1", NOW, "openai_chat", None, HAIKU, "end_turn", 0.5, 1.25, 0.0015, Usage(10, 20, 3, 4, 5))
LONG = attrs.evolve(
    SHORT,
    key=ANN.id,
    model=SONNET,
    first_event=2.5,
    duration=100.0,
    cost=1.5,
    usage=Usage(1000, 2000, 300, 400, 500),
)
FAILED = attrs.evolve(
    SHORT, key=BOB.id, began_at=NOW - DAY, outcome="529", first_event=None, duration=2.0, cost=0.0, usage=Usage()
)
ABANDONED = attrs.evolve(SHORT, began_at=NOW - 29 * DAY, outcome="abandoned")
LAST_YEAR = attrs.evolve(SHORT, began_at=NOW - 31 * DAY)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """Return a desk of a machine that was used."""
    desk = Desk(tmp_path / "cca.db")
    desk.make_key(ANN)
    desk.make_key(BOB)
    desk.within(lambda connection: exchanges.add(connection, [SHORT, LONG, FAILED, ABANDONED, LAST_YEAR]))
    return desk


def test_the_last_30_days_by_day(desk: Desk, capsys: Captured) -> None:
    desk.run("usage")
    assert capsys.readouterr().out == (
        "DAY         REQUESTS  COMPLETED    IN  FROM CACHE  TO CACHE   OUT  REASONING       COST  FIRST  SECONDS\n"
        "2025-12-04         1          0    10           3         4    20          5  $0.001500    0.5      1.2\n"
        "2026-01-01         1          0     0           0         0     0          0  $0.000000      -      2.0\n"
        "2026-01-02         2          2  1010         303       404  2020        505  $1.501500    1.5     50.6\n"
        "total              4          2  1020         306       408  2040        510  $1.503000    1.2     26.1\n"
    )


def test_by_key_and_model(desk: Desk, capsys: Captured) -> None:
    """In the order of the API, whatever the order that they are given in."""
    desk.run("usage", "--by", "model, key", "--since", "2026-01-01")
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [line[:4] for line in lines] == [
        ["KEY", "KEY", "NAME", "MODEL"],
        ["-", "-", HAIKU, "1"],
        [ANN.id, "ann", SONNET, "1"],
        [BOB.id, "bob", HAIKU, "1"],
        ["total", "3", "2", "1010"],
    ]


@pytest.mark.parametrize("by", ["", ","])
def test_the_totals_alone(desk: Desk, capsys: Captured, by: str) -> None:
    desk.run("usage", "--by", by)
    heading, totals = (line.split() for line in capsys.readouterr().out.splitlines())
    assert (heading[0], totals[:3]) == ("REQUESTS", ["4", "2", "1020"])


@pytest.mark.parametrize(
    ("flags", "requests"),
    [
        ("--since 12h", 2),
        ("--since 25h", 3),
        ("--since 52w", 5),
        ("--since 2026-01-01", 3),
        ("--since 2026-01-02", 2),
        ("--since 2025-01-01 --until 2026-01-02", 3),
        ("--since 2025-01-01 --until 2026-01-01", 2),
        ("--until 2026-01-03", 4),
        ("--until 2026-01-01 --since 2d", 0),
        ("--until 2026-01-01 --since 30d", 2),
        ("--since 9999w", 5),
        ("--since 1970-01-01 --until 9999-12-31", 5),
    ],
)
def test_from_when_to_when(desk: Desk, capsys: Captured, flags: str, requests: int) -> None:
    """To before the day that is named, and as long back from there; a day begins in UTC."""
    desk.run("usage", "--json", *flags.split())
    assert sum(row["requests"] for row in json.loads(capsys.readouterr().out)["rows"]) == requests


def test_a_report_is_read_in_pieces_that_come_to_the_same(
    desk: Desk, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where more began at one moment than a piece has."""
    said = []
    for size in (usage.PIECE, 1, 2, 3):
        monkeypatch.setattr(usage, "PIECE", size)
        desk.run("usage", "--by", "day,key,model", "--since", "52w")
        said.append(capsys.readouterr().out)
    assert said == [said[0]] * 4
    assert said[0].count("\n") == 7


def test_as_json(desk: Desk, capsys: Captured) -> None:
    desk.run("usage", "--json", "--by", "key", "--since", "2026-01-01", "--until", "2026-01-02")
    sums: Any = {
        "requests": 1,
        "completed": 0,
        "input_tokens": 0,
        "output_tokens": 0,
        "cache_read_tokens": 0,
        "cache_write_tokens": 0,
        "reasoning_tokens": 0,
        "cost_usd": 0.0,
        "first_event": None,
        "duration": 2.0,
    }
    assert json.loads(capsys.readouterr().out) == {
        "since": NOW - DAY,
        "until": NOW,
        "rows": [{"key": BOB.id, "key_name": "bob", **sums}],
        "total": sums,
    }


def test_nothing_was_used(desk: Desk, capsys: Captured) -> None:
    desk.run("usage", "--until", "2025-11-22", "--since", "2025-11-21")
    assert capsys.readouterr() == ("", "There was no request from 2025-11-21 00:00:00Z to 2025-11-22 00:00:00Z.\n")
    desk.run("usage", "--until", "2025-11-22", "--since", "2025-11-21", "--json")
    said = json.loads(capsys.readouterr().out)
    assert (said["rows"], said["total"]) == ([], None)


def test_an_end_before_the_beginning(desk: Desk) -> None:
    with pytest.raises(BadRequest) as raised:
        desk.run("usage", "--since", "2026-01-01", "--until", "2026-01-01")
    assert raised.value.message == (
        "--since is 2026-01-01 00:00:00Z, and must be before --until, 2026-01-01 00:00:00Z."
    )


@pytest.mark.parametrize(
    ("flag", "given", "message"),
    [
        ("--since", "yesterday", "'yesterday' is no duration; say a number and s, m, h, d or w"),
        ("--since", "2026-02-30", "'2026-02-30' is no day from 1970 on; say one as in 2026-11-22"),
        ("--until", "30d", "'30d' is no day from 1970 on; say one as in 2026-11-22"),
        ("--until", "0001-01-01", "'0001-01-01' is no day from 1970 on"),
        ("--since", "1969-12-31", "'1969-12-31' is no day from 1970 on"),
        ("--by", "week", "'week' is none of day, key, model, with commas between them"),
    ],
)
def test_what_cannot_be_read(desk: Desk, capsys: Captured, flag: str, given: str, message: str) -> None:
    with pytest.raises(SystemExit) as ended:
        desk.run("usage", flag, given)
    assert ended.value.code == CANNOT_START
    assert f"argument {flag}: {message}" in capsys.readouterr().err


def test_without_a_database(tmp_path: Path, capsys: Captured) -> None:
    """Nothing is made, and the command says so."""
    path = tmp_path / "nowhere.db"
    with pytest.raises(NotFound):
        Desk(path).run("usage")
    assert main(["usage", "--database", str(path)]) == CANNOT_START
    assert re.fullmatch(rf"cca: There is no database {path} yet\..*\n", capsys.readouterr().err)
    assert not path.exists()
