"""Rows of small tables that a person can check."""

import pytest

from benchmarks.chunking.metrics import Place
from benchmarks.packs.__main__ import SHOWN, arguments, shaping, sheet_for
from benchmarks.packs.collections import SOURCES, Collection, Excerpt, PackQuestion
from benchmarks.packs.evidence import Pack
from benchmarks.packs.figures import NEEDED, SCORES, SMALLEST, Scored, compared, needed, rows, scored
from benchmarks.rows import Sheet
from contextsvc.settings import Settings

SHARE = "share of supporting sentences"
SHEET = Sheet("packs_hotpotqa", "d@1", 1, "c", {"part": "all"})


def shares(*by_budget: tuple[int, list[float]]) -> Scored:
    """The one figure that tokens are told for."""
    return {budget: {SHARE: values} for budget, values in by_budget}


def test_packs_are_scored_question_by_question() -> None:
    one = Excerpt("a", 0, 3, "one")
    questions = [PackQuestion("?", (one,), (one,)), PackQuestion("!", (one,), (one,))]
    found = scored("chunking", questions, {256: [Pack((Place("a", 0, 6),), 5), Pack((), 0)]})
    assert found == {256: {"recall, %": [100, 0], "precision, %": [50, 0], "tokens of the pack": [5, 0]}}
    with pytest.raises(ValueError, match="shorter"):
        scored("chunking", questions, {256: [Pack((), 0)]})


def test_every_figure_is_a_row_with_its_scores() -> None:
    found = scored_pair()
    made = {row.figure: row for row in rows("ours", found, [64, 128], SHEET)}
    assert list(made) == [f"ours, 64 tokens: {SHARE}", f"ours, 128 tokens: {SHARE}"]
    row = made[f"ours, 128 tokens: {SHARE}"]
    assert (row.value, row.n, row.details["scores"]) == (0.75, 2, [0.5, 1.0])
    assert row.interval is not None
    assert row.interval[0] <= 0.75 <= row.interval[1]


def test_a_row_has_the_mean_of_each_kind_where_questions_have_kinds() -> None:
    table = {64: {"answered": [1.0, 0.0, 1.0], "tokens of the pack": [60.0, 50.0, 61.0]}}
    made = rows("ours", table, [64], SHEET, ["why", "why", "how"])
    assert [row.details["by_kind"] for row in made] == [
        {"how": (1.0, 1), "why": (0.5, 2)}, {"how": (61.0, 1), "why": (55.0, 2)},
    ]  # fmt: skip
    assert "by_kind" not in rows("ours", table, [64], SHEET)[0].details
    with pytest.raises(ValueError, match="argument 2 is shorter"):
        rows("ours", table, [64], SHEET, ["why"])


def scored_pair() -> Scored:
    """Two questions at two budgets."""
    return shares((64, [0.0, 0.5]), (128, [0.5, 1.0]))


def test_tokens_are_told_where_the_whole_grid_was_packed() -> None:
    found = shares((64, [1.0, 0.0, 0.0]), (128, [1.0, 1.0, 0.0]), (256, [1.0, 1.0, 0.5]))
    assert needed(found) == [64, 128, 256]
    made = {row.figure: row for row in rows("bare", found, [64], SHEET)}
    assert made[f"bare: {NEEDED}"].value == pytest.approx(448 / 3)
    # mean shares 1/3, 2/3 and 5/6
    smallest = made[f"bare: {SMALLEST}"]
    assert (smallest.value, smallest.n) == (256, 3)
    assert smallest.details == {
        "reached": True, "budgets": [64, 128, 256], "mean_shares": [0.3333, 0.6667, 0.8333],
    }  # fmt: skip
    assert smallest.interval == (64, 256)


def test_a_share_that_is_never_reached_is_said_to_be() -> None:
    found = shares((64, [0.0, 0.5]), (128, [0.5, 1.0]))
    row = rows("bare", found, [64], SHEET)[-1]
    assert (row.value, row.details["reached"]) == (128, False)


def test_ours_is_compared_question_by_question() -> None:
    ours = {256: {"recall, %": [100.0, 50.0], "tokens of the pack": [9.0, 9.0]}}
    bare = {256: {"recall, %": [50.0, 50.0], "tokens of the pack": [5.0, 5.0]}}
    (row,) = compared(ours, bare, "ours less bare", [256], SHEET)
    assert (row.figure, row.value) == ("ours less bare, 256 tokens: recall, %", 25)
    # Two signs that change nothing, of two questions; either alone is drawn once in four times.
    assert row.details == {"p": 1.0, "ratio": 1.5, "ratio_interval": (1.0, 2.0)}
    grid = shares((64, [1.0, 0.0]), (128, [1.0, 1.0])), shares((64, [0.0, 0.0]), (128, [1.0, 1.0]))
    last = compared(*grid, "ours less bare", [64], SHEET)[-1]
    assert (last.figure, last.value) == (f"ours less bare: {NEEDED}", -32)


def test_every_collection_has_its_figures_and_its_rows() -> None:
    assert SOURCES.keys() == SCORES.keys() == SHOWN.keys()
    for name, source in SOURCES.items():
        assert set(SHOWN[name]) <= set(source.budgets)
        assert list(source.budgets) == sorted(source.budgets)
    assert (SOURCES["hotpotqa"].budgets[0], SOURCES["hotpotqa"].budgets[-1]) == (64, 4096)


def test_the_command_makes_the_rows_again() -> None:
    def command(*argv: str) -> str:
        collection = Collection("chunking", "d@1", (), (), titled=False)
        return sheet_for(arguments(argv), collection, Settings()).command

    assert command() == "python -m benchmarks.packs --collections chunking"
    assert command("--sides", "ours", "--budgets", "256", "512", "--part", "tune") == (
        "python -m benchmarks.packs --collections chunking --sides ours --budgets 256 512 --part tune"
    )


def test_rows_say_what_shaped_our_packs() -> None:
    said = shaping(Settings(chunk_max_tokens=96))
    assert said["chunk_max_tokens"] == 96
    assert {"score_floor", "diversity_weight", "chunk_max_tokens", "ordering"} <= said.keys()
