"""Counts and weights: those of bm25s, and after a change those of a count of everything anew."""

import numpy as np
from bm25s import BM25
from bm25s.stopwords import STOPWORDS_EN_PLUS
from hypothesis import given
from hypothesis import strategies as st

from contextsvc.adapters.search.postings import (
    _STOP_WORDS,
    Postings,
    count_terms,
    renumbered,
    stems,
    weigh,
    words,
)

TEXTS = st.lists(st.sampled_from(["red", "fox", "foxes", "den", "the", "hill", "42"]), max_size=6).map(
    " ".join
)


def columns(postings: Postings) -> dict[str, list[tuple[int, int, float]]]:
    weights = weigh(postings, k1=1.5, b=0.75)
    return {
        term: [
            (int(postings.chunks[row]), int(postings.counts[row]), float(weights[row]))
            for row in range(postings.offsets[number], postings.offsets[number + 1])
        ]
        for number, term in enumerate(postings.terms)
    }


def test_a_count_that_a_person_can_do() -> None:
    postings = count_terms(["red fox, red den", "the hill", "foxes"])
    assert list(postings.terms) == ["red", "fox", "den", "hill"]
    assert postings.offsets.tolist() == [0, 1, 3, 4, 5]
    assert postings.chunks.tolist() == [0, 0, 2, 0, 1]
    assert postings.counts.tolist() == [2, 1, 1, 1, 1]


def test_the_stop_words_are_those_of_bm25s() -> None:
    assert len(_STOP_WORDS) == 179
    assert frozenset(STOPWORDS_EN_PLUS) == _STOP_WORDS
    assert words("The fox's den, and a hill") == ["fox", "den", "hill"]


@given(st.lists(TEXTS, min_size=1, max_size=8).filter(lambda texts: any(map(stems, texts))))
def test_the_weights_are_those_of_bm25s(texts: list[str]) -> None:
    postings = count_terms(texts)
    numbers = {term: number for number, term in enumerate(postings.terms)}
    rows = [[numbers[stem] for stem in stems(text)] for text in texts]
    peer = BM25(k1=1.5, b=0.75, method="lucene", dtype="float32", int_dtype="int32")
    theirs = peer.build_index_from_ids(range(len(numbers)), rows, show_progress=False)
    np.testing.assert_array_equal(theirs["indptr"], postings.offsets)
    ours = weigh(postings, k1=1.5, b=0.75)
    for number in range(len(numbers)):
        column = slice(postings.offsets[number], postings.offsets[number + 1])
        order = np.argsort(theirs["indices"][column])
        np.testing.assert_array_equal(theirs["indices"][column][order], postings.chunks[column])
        np.testing.assert_allclose(theirs["data"][column][order], ours[column], rtol=1e-6)


@given(st.lists(TEXTS, max_size=8), st.data())
def test_a_changed_index_has_the_counts_and_weights_of_one_built_anew(
    texts: list[str], data: st.DataObject
) -> None:
    kept = data.draw(st.lists(st.sampled_from(range(len(texts))), unique=True)) if texts else []
    new = data.draw(st.lists(TEXTS, max_size=4))
    chunks = data.draw(st.permutations([*kept, *(-1 for _ in new)]))
    fresh = iter(new)
    result = [texts[chunk] if chunk >= 0 else next(fresh) for chunk in chunks]
    found = renumbered(count_terms(texts), np.array(chunks, dtype=np.int64), result.__getitem__)
    assert columns(found) == columns(count_terms(result))
    assert found.num_chunks == len(result)
