import pytest

from benchmarks.search import runs


def test_runs_are_of_two_sentences_then_of_three() -> None:
    assert list(runs([3, 1, 2], 4)) == [(0, 0, 2), (0, 1, 3), (2, 0, 2), (0, 0, 3)]
    assert list(runs([3, 1, 2], 2)) == [(0, 0, 2), (0, 1, 3)]
    with pytest.raises(SystemExit, match="give 4 chunks, 5 were asked for"):
        list(runs([3, 1, 2], 5))
