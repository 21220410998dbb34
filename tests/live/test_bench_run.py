"""The tool that compares, in its shortest run, with the real Claude Code: there is a figure of everything."""

import json
import sys
from pathlib import Path

import pytest

from tools.bench import main
from tools.bench_targets import CCA, CCA_COLD
from tools.bench_turns import BARE_COLD, BARE_WAITING, BARE_WARM, CONFIGURED, FIRST, FOLLOW_UP, TOOLS

pytestmark = [pytest.mark.live, pytest.mark.soak]

WAYS = {
    *((BARE_COLD, FIRST), (BARE_WAITING, FIRST), (BARE_WAITING, CONFIGURED), (BARE_WARM, FOLLOW_UP)),
    *((CCA_COLD, FIRST), (CCA_COLD, CONFIGURED)),
    *((CCA, FIRST), (CCA, CONFIGURED), (CCA, FOLLOW_UP), (CCA, TOOLS)),
}


@pytest.mark.skipif(sys.platform != "linux", reason="CPU time and memory are read from /proc")
def test_one_run_has_all_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whether they are good is not for a test on a busy machine."""
    found, drawn = tmp_path / "bench.json", tmp_path / "bench.svg"
    counts = ("--rounds", "1", "--seconds", "0.1", "--at-once", "2", "--only", "turns", "--only", "load")
    assert main([*counts, "--json", str(found), "--chart", str(drawn)]) == 0
    figures = json.loads(found.read_text())
    assert {(each["who"], each["what"]) for each in figures["turns"]} == WAYS
    assert not figures["missing"]
    assert {name: load["refused"] for name, load in figures["loads"]["2"].items()} == {CCA: 0, BARE_COLD: 0}
    assert all(load["spread"]["number"] >= 2 for load in figures["loads"]["2"].values())
    assert all(each["cpu"] is not None for each in figures["turns"] if each["who"] == CCA)
    assert figures["memory"]["later"][CCA]["server"] > 1
    assert "ratios of this run" in capsys.readouterr().out
    assert f"{CCA}: {FIRST}" in drawn.read_text()
