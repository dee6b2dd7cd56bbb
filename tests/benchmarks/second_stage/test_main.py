"""Rows of two collections, each of which teaches the other."""

import argparse
from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from benchmarks.parts import part_of
from benchmarks.second_stage import __main__ as second_stage
from benchmarks.second_stage.__main__ import Field, command, main, mean_of_means, rows
from benchmarks.second_stage.features import FIXED, Candidates
from benchmarks.second_stage.judged import Judged, JudgedCollection
from benchmarks.second_stage.learning import LEARNERS, Learned, Taught
from tests.benchmarks.second_stage.examples import candidates

TUNE = [text for text in map(str, range(40)) if part_of(text) == "tune"]
REPORT = [text for text in map(str, range(40)) if part_of(text) == "report"]


def query(text: str) -> Candidates:
    """The fixed score has the relevant document second, coverage first."""
    return candidates(text, ("a",), {"a": {FIXED: 0.1, "coverage": 1.0}, "b": {FIXED: 0.2}})


FIELD = Field(
    {
        "cacm": [query(TUNE[0]), query(REPORT[0]), query(REPORT[1])],
        "hotpotqa": [query(TUNE[1]), query(REPORT[2])],
    },
    {"cacm": "cacm@1", "hotpotqa": "hotpotqa@2"}, {"rerank_depth": 2}, "python -m benchmarks.second_stage",
)  # fmt: skip


def test_what_is_left_out_teaches_nothing_and_report_halves_never_do() -> None:
    seen: list[Mapping[str, Sequence[str]]] = []

    def learn(taught: Taught) -> Learned:
        seen.append({name: [one.query.text for one in found] for name, found in taught.items()})
        return Learned(lambda one: one.columns(["coverage"])[:, 0], {"coverage": 1.0})

    made = {row.figure: row for row in rows(FIELD, {"own": learn})}
    assert seen == [
        {"hotpotqa": [TUNE[1]]}, {"cacm": [TUNE[0]]}, {"cacm": [TUNE[0]], "hotpotqa": [TUNE[1]]},
    ]  # fmt: skip
    second = 1 / np.log2(3)
    fixed = made["cacm, report half, fixed weights: nDCG@10"]
    assert fixed.n == 2
    assert fixed.value == pytest.approx(second)
    apart = made["cacm, report half, own, taught by the others, less fixed weights: nDCG@10"]
    assert apart.value == pytest.approx(1 - second)
    assert apart.details["learned"] == {"coverage": 1.0}
    assert apart.settings == {
        "rerank_depth": 2, "learner": "own", "taught": "taught by the others", "part": "report",
        "source": "the public CACM collection", "licence": "none stated",
    }  # fmt: skip
    whole = made["mean of collections, tune half, own, taught by the others, less fixed weights: nDCG@10"]
    assert (whole.n, whole.dataset) == (2, "cacm@1, hotpotqa@2")
    assert whole.value == pytest.approx(1 - second)
    assert made["cacm, report half, candidates in the best order: nDCG@10"].value == 1.0
    assert len(made) == 2 * 4 + 3 * 3


def test_collections_weigh_the_same_whatever_their_size() -> None:
    low, high = mean_of_means([np.ones(1_000), np.zeros(10)], seed=0)
    assert low == high == 0.5


def test_one_collection_is_too_few(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--collections", "cacm"])
    assert "name two or more" in capsys.readouterr().err


def test_a_half_without_a_query_is_too_little(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def load(name: str) -> JudgedCollection:
        return JudgedCollection(name, "d@1", (), (Judged(TUNE[0], {"a": 1}),))

    monkeypatch.setattr(second_stage, "load_judged", load)
    with pytest.raises(SystemExit):
        main(["--collections", "cacm", "hotpotqa"])
    assert "cacm has no query of the report half: take more documents" in capsys.readouterr().err


def test_the_command_says_what_is_other_than_usual() -> None:
    some = argparse.Namespace(collections=["cacm", "scifact"], learners=list(LEARNERS), dry=True)
    assert command(some) == "python -m benchmarks.second_stage --collections cacm scifact"
