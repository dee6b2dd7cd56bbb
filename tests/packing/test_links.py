"""Links between documents that name each other, by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextsvc.errors import ShapeError
from contextsvc.packing.links import DEPTH, MAX_NAMING, link_scores, name_in_title, names
from contextsvc.records.arrays import Float64Array

TITLES = ["Old Bridge", "Ada Stone (architect)", "Leeds"]
TEXTS = ["Ada Stone drew it.", "She lived in Leeds.", "A city."]


def found(scores: list[float], documents: list[int] | None = None) -> list[float]:
    numbers = np.array(documents or range(len(scores)))
    lent: list[float] = link_scores(np.array(scores), numbers, TITLES, TEXTS).tolist()
    return lent


def test_a_name_is_the_title_without_its_qualifier() -> None:
    assert name_in_title("Ada Stone (architect)") == "Ada Stone"
    assert name_in_title("Up (film) again") == "Up (film) again"
    assert name_in_title("Up (2009 film)") == ""


def test_a_name_counts_as_words_of_its_own_in_the_same_case() -> None:
    assert names("Seen from Leeds.", "Leeds")
    assert names("Leedsley, but also Leeds", "Leeds")
    for text in ("Leedsley", "in leeds", "New_Leeds", ""):
        assert not names(text, "Leeds")


def test_linked_candidates_lend_each_other_their_scores() -> None:
    # 0 names 1, 1 names 2: 1 gets the better of its two neighbours, 2 only what 1 has.
    assert found([0.5, 0.25, 0.75]) == [0.25, 0.75, 0.25]


def test_chunks_of_one_document_do_not_lend_each_other() -> None:
    # 0 names 1, which is of its own document.
    assert found([0.5, 0.25, 0.75], [0, 0, 1]) == [0, 0.75, 0.25]


def test_the_best_candidate_of_the_named_document_is_linked() -> None:
    texts = ["See Alpha Base.", "Its gate.", "Its wall."]
    titles = ["Other", "Alpha Base", "Alpha Base"]
    lent = link_scores(np.array([0.5, 0.25, 0.75]), np.array([0, 1, 1]), titles, texts)
    assert lent.tolist() == [0.75, 0, 0.5]


@pytest.mark.parametrize("naming", [MAX_NAMING, MAX_NAMING + 1])
def test_a_title_that_many_name_links_nothing(naming: int) -> None:
    texts = ["A page.", *["See Alpha Base."] * naming]
    titles = ["Alpha Base", *["Other"] * naming]
    lent = link_scores(np.linspace(1, 0.5, naming + 1), np.arange(naming + 1), titles, texts)
    assert lent[1:].tolist() == [1.0 if naming == MAX_NAMING else 0.0] * naming


def test_only_the_best_candidates_lend() -> None:
    scores = np.linspace(1, 0.5, DEPTH + 1)
    titles = ["Alpha Base", *["x"] * (DEPTH - 1), "Last Page"]
    texts = ["Nothing."] * DEPTH + ["See Alpha Base."]
    lent = link_scores(scores, np.arange(DEPTH + 1), titles, texts)
    assert lent.tolist() == [0.0] * DEPTH + [1.0]


def test_without_names_there_are_no_links() -> None:
    assert link_scores(np.zeros(0), np.zeros(0, dtype=np.int64), [], []).tolist() == []
    assert link_scores(np.ones(2), np.arange(2), ["", ""], ["a", "b"]).tolist() == [0, 0]


def test_lengths_must_agree() -> None:
    with pytest.raises(ShapeError, match="2 scores, 2 documents, 3 titles, 3 texts"):
        link_scores(np.ones(2), np.arange(2), TITLES, TEXTS)


@given(st.lists(st.floats(0, 1), min_size=3, max_size=3))
def test_a_lent_score_is_the_score_of_another_candidate(values: list[float]) -> None:
    scores: Float64Array = np.array(values)
    lent = link_scores(scores, np.arange(3), TITLES, TEXTS)
    assert all(value == 0 or value in np.delete(scores, n) for n, value in enumerate(lent))
