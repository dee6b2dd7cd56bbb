"""The same candidates packed in several ways."""

import numpy as np
import pytest

from benchmarks import selection
from benchmarks.selection import Found, by_density, greedily, knapsack, ways
from contextsvc.records.documents import Chunk
from contextsvc.records.packs import Candidate
from contextsvc.settings import Settings


def words(text: str) -> int:
    return len(text.split())


def candidate(rank: int, score: float, text: str) -> Candidate:
    return Candidate(rank, Chunk(f"d{rank}", 0, len(text), text, words(text)), score, rank)


# With "[1]" in front: 6, 4 and 4 words.
THREE = [candidate(1, 0.9, "a b c d e"), candidate(2, 0.6, "f g h"), candidate(3, 0.5, "i j k")]
FOUND = Found(THREE, np.eye(3, dtype=np.float32), words)


def ranks(kept: list[Candidate]) -> list[int]:
    return sorted(candidate.rank for candidate in kept)


def test_greedy_takes_the_best_and_a_knapsack_the_greatest_sum() -> None:
    # .9 fits 8 tokens alone; the other two fit together and add up to 1.1.
    assert ranks(greedily(FOUND, 8, 0.0, 0.0, 1.0)) == [1]
    assert ranks(knapsack(FOUND, 8)) == [2, 3]
    assert ranks(knapsack(FOUND, 14)) == [1, 2, 3]
    assert ranks(knapsack(FOUND, 3)) == []


def test_by_density_takes_the_greatest_score_a_token() -> None:
    # .9 / 5 = .18, .6 / 3 = .2, .5 / 3 = .167
    assert ranks(by_density(FOUND, 4)) == [2]
    assert ranks(by_density(FOUND, 10)) == [1, 2]
    assert ranks(by_density(FOUND, 9)) == [2, 3]


def test_a_floor_under_the_gain_leaves_chunks_out() -> None:
    # Of the best, .9: .6 is .67 of it, .5 is .56.
    assert ranks(greedily(FOUND, 99, 0.5, 0.0, 1.0)) == [1, 2, 3]
    assert ranks(greedily(FOUND, 99, 0.6, 0.0, 1.0)) == [1, 2]
    assert ranks(greedily(FOUND, 99, 0.7, 0.0, 1.0)) == [1]
    assert greedily(FOUND, 1, 0.0, 0.0, 1.0) == []


def test_what_is_rendered_longer_than_its_parts_still_fits() -> None:
    # Each alone is 4 words; together this count takes one more a chunk after the first.
    seam = Found(THREE[1:], FOUND.vectors[1:], lambda text: words(text) + max(0, text.count("\n\n[")))
    assert ranks(knapsack(seam, 8)) == [2]


def test_the_usual_way_comes_first() -> None:
    assert next(iter(ways(Settings()))) == selection.USUAL


@pytest.mark.model
def test_one_question_for_real(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        selection.main(["--collections", "chunking", "--questions", "1"])
    except SystemExit as end:
        pytest.skip(str(end))
    said = capsys.readouterr().out
    assert "greedy, 256 tokens: recall, % = " in said
    assert "knapsack less greedy, 1024 tokens: precision, % = " in said
