"""A peer that is not installed is left out, and the rest is measured."""

import sys
from pathlib import Path

import pytest

from benchmarks.ablation.packs import Labelled, peer_of
from benchmarks.ablation.speed import Way, rows
from benchmarks.rows import Sheet
from benchmarks.squad import Question
from tests.world import fake_engine, fake_pack, open_pages


def test_an_absent_peer_is_said_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(sys.modules, "benchmarks.ablation.peers", raising=False)
    monkeypatch.setitem(sys.modules, "context_cite", None)
    assert peer_of(fake_engine(tmp_path)) is None
    line = "skipped: context-cite is not installed; pip install 'contextsvc[peers]'\n"
    assert capsys.readouterr().out == line


def test_speed_is_compared_with_those_that_ran(tmp_path: Path) -> None:
    pack = fake_pack(open_pages(tmp_path / "root"), "backup", "stars")
    labelled = Labelled(Question(pack.query, "every night", "backup"), pack, (True, False))
    ways: dict[str, Way] = {
        "blocks": lambda _: [1.0, 0.0],
        "exact, leave-one-out": lambda _: [0.0, 1.0],
    }
    sheet = Sheet("ablation_speed", "d@1", 13, "c")
    found = {row.figure: row.value for row in rows(ways, [labelled] * 3, sheet)}
    assert set(found) == {
        "blocks: seconds",
        "blocks: seconds as a share of exact, leave-one-out",
        "blocks: gold chunk has the largest effect",
        "exact, leave-one-out: seconds",
        "exact, leave-one-out: gold chunk has the largest effect",
    }
    assert found["blocks: gold chunk has the largest effect"] == 1.0
    assert found["exact, leave-one-out: gold chunk has the largest effect"] == 0.0
