"""Trimming: kept sentences, left-out ones, and the spans of the result."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextsvc.errors import ShapeError
from contextsvc.packing.trimming import (
    SHARES,
    ScoredSentences,
    add_term_scores,
    term_shares,
    trim,
    trim_to_fit,
)
from contextsvc.records.documents import Chunk
from contextsvc.records.packs import Candidate
from contextsvc.records.rendering import render_units
from contextsvc.records.spans import OMISSION
from tests.fakes.token_counter import FakeTokenCounter

COUNT = FakeTokenCounter().count
LEAD = "Something stands before the chunk. "


def scored(sentences: list[str], scores: list[float], between: str = " ", rank: int = 1) -> ScoredSentences:
    """A chunk of these sentences, behind `LEAD` in its document."""
    spans, at = [], len(LEAD)
    for sentence in sentences:
        spans.append((at, at + len(sentence)))
        at += len(sentence) + len(between)
    text = between.join(sentences)
    chunk = Chunk(
        doc_id="d",
        start=len(LEAD),
        end=len(LEAD) + len(text),
        text=text,
        num_tokens=COUNT([text])[0],
        title="Manual",
    )
    return ScoredSentences(Candidate(rank, chunk, 1 / rank, rank), spans, np.array(scores))


def texts(found: list[ScoredSentences], share: float) -> list[str]:
    return [candidate.chunk.text for candidate in trim(found, share, COUNT)]


FOUR = [
    "Take a snapshot every night.",
    "Apples ripen in autumn.",
    "Pears ripen later.",
    "Snapshots hold keys.",
]


def test_a_mark_stands_for_sentences_that_were_left_out() -> None:
    found = scored(FOUR, [0.8, 0.1, 0.2, 0.7])
    (candidate,) = trim([found], 0.5, COUNT)
    chunk, whole = candidate.chunk, found.candidate.chunk
    assert chunk.text == "Take a snapshot every night.\n…\nSnapshots hold keys."
    # 35 characters before it, then 28, 23, 18 and 20 of sentences with a space between them
    assert (chunk.start, chunk.end, chunk.spans) == (35, 127, ((35, 63), (107, 127)))
    assert chunk.num_tokens == 6 + 1 + 4
    assert (chunk.chunk_id, chunk.whole, chunk.title) == (whole.chunk_id, (35, 127), "Manual")
    assert (candidate.score, candidate.rank) == (1.0, 1)


def test_no_mark_stands_at_the_edges() -> None:
    (candidate,) = trim([scored(FOUR, [0.1, 0.8, 0.7, 0.1])], 0.5, COUNT)
    assert candidate.chunk.text == "Apples ripen in autumn. Pears ripen later."
    assert candidate.chunk.spans == ((64, 106),)
    assert candidate.chunk.whole == (35, 127)


def test_the_threshold_is_a_share_of_the_best_sentence_and_each_chunk_keeps_its_best() -> None:
    found = [scored(FOUR[:2], [0.8, 0.3]), scored(FOUR[2:], [0.3, 0.2], rank=2)]
    assert texts(found, 0.5) == ["Take a snapshot every night.", "Pears ripen later."]
    assert texts(found, 0.25) == [" ".join(FOUR[:2]), " ".join(FOUR[2:])]


def test_a_chunk_that_keeps_everything_is_the_same_object() -> None:
    found = scored(FOUR, [0.0, 0.8, 0.7, 0.1])
    assert trim([found], 0.0, COUNT)[0] is found.candidate
    even = scored(FOUR, [0.5] * 4)
    assert trim([even], 1.0, COUNT)[0] is even.candidate
    assert trim([], 0.5, COUNT) == []


def test_nothing_is_trimmed_if_no_sentence_is_similar_to_the_query() -> None:
    found = scored(FOUR, [0.0] * 4)
    assert trim([found], 0.9, COUNT)[0] is found.candidate


@pytest.mark.parametrize("between", ["Yes.", "No", "…"])
def test_a_gap_with_no_more_tokens_than_the_mark_stays(between: str) -> None:
    # The mark is one token as these are counted.
    found = scored([FOUR[0], between, FOUR[3]], [0.8, 0.1, 0.8])
    kept = COUNT([between])[0] <= COUNT([OMISSION])[0]
    assert texts([found], 0.5) == [
        " ".join([FOUR[0], between, FOUR[3]]) if kept else FOUR[0] + OMISSION + FOUR[3]
    ]
    assert kept == (between != "Yes.")


@pytest.mark.parametrize("heading", ["## Snapshots", "Snapshots\n---------", "=====\nTable\n====="])
def test_a_heading_stays_with_what_stands_below_it(heading: str) -> None:
    below = scored([FOUR[1], heading, FOUR[0], FOUR[2]], [0.1, 0.0, 0.8, 0.1], "\n\n")
    assert texts([below], 0.5) == [f"{heading}\n\n{FOUR[0]}"]


def test_a_kept_sentence_keeps_the_last_heading_above_it() -> None:
    chunk = ["# Fruit", FOUR[1], "## Backup", FOUR[2], FOUR[0]]
    assert texts([scored(chunk, [0.0, 0.1, 0.0, 0.1, 0.8], "\n")], 0.5) == [f"## Backup\n…\n{FOUR[0]}"]
    # A heading that begins the chunk is in the label of the chunk, which is rendered above it.
    assert texts([scored(chunk[:2] + chunk[4:], [0.0, 0.1, 0.8], "\n")], 0.5) == [FOUR[0]]


def test_headings_that_follow_each_other_stay_together() -> None:
    chunk = ["# Manual", "## Backup", FOUR[0], FOUR[1]]
    assert texts([scored(chunk, [0.0, 0.0, 0.8, 0.1], "\n")], 0.5) == ["\n".join(chunk[:3])]


def test_a_line_that_ends_in_a_colon_stays_with_the_next() -> None:
    chunk = [FOUR[1], "For example:", "- take a snapshot", "- pick pears"]
    assert texts([scored(chunk, [0.1, 0.1, 0.8, 0.1], "\n")], 0.5) == ["For example:\n- take a snapshot"]


@pytest.mark.parametrize("text", ["# one\n# two", "#tag", "a | b\n--- | ---", "---\n---", "plain words here"])
def test_text_that_is_not_a_heading_is_left_out(text: str) -> None:
    assert texts([scored([FOUR[1], text, FOUR[0]], [0.1, 0.0, 0.8], "\n")], 0.5) == [FOUR[0]]


def test_a_code_fence_stays_or_goes_whole() -> None:
    fence = "```\nsnapshot --all\n\nsnapshot --one\n```"
    assert texts([scored([FOUR[1], fence, FOUR[2]], [0.1, 0.8, 0.1], "\n\n")], 0.5) == [fence]
    assert texts([scored([FOUR[0], fence, FOUR[3]], [0.8, 0.1, 0.8], "\n\n")], 0.5) == [
        FOUR[0] + OMISSION + FOUR[3]
    ]


def test_scores_must_match() -> None:
    with pytest.raises(ShapeError, match="2 sentences with scores of shape"):
        scored(FOUR[:2], [0.5])
    with pytest.raises(ShapeError, match="0 sentences"):
        ScoredSentences(scored(FOUR[:1], [0.5]).candidate, [], np.zeros(0))


def test_words_that_few_sentences_hold_weigh_most() -> None:
    shares = term_shares("The red apples?", ["the Red apples", "the red", "the pears", "The end"])
    # n = 4: the is in 4, red in 2, apples in 1
    the, red, apples = (float(np.log(5 / (df + 0.5))) for df in (4, 2, 1))
    total = the + red + apples
    np.testing.assert_allclose(shares, [1, (the + red) / total, the / total, the / total])
    assert term_shares("zebras", ["the end", "."]).tolist() == [0, 0]
    assert term_shares("?!", ["the end"]).tolist() == [0]


def test_terms_weigh_three_tenths_of_a_sentences_score() -> None:
    found = [scored(FOUR[:2], [0.8, 0.4]), scored(FOUR[2:], [0.2, 0.1])]
    first, second = add_term_scores("apples, pears", found)
    # Both words are in one sentence of four, so half of the query is in each of these.
    np.testing.assert_allclose(first.scores, [0.56, 0.28 + 0.15])
    np.testing.assert_allclose(second.scores, [0.14 + 0.15, 0.07])
    assert first.candidate is found[0].candidate
    assert add_term_scores("apples", []) == []


PAIR = [scored(FOUR[:2], [0.8, 0.5], rank=1), scored(FOUR[2:], [0.6, 0.3], rank=2)]
BOTH = [one.candidate for one in PAIR]


def fitted(budget: int, wanted: int = 2) -> list[str]:
    return [c.chunk.text for c in trim_to_fit(PAIR, BOTH[:wanted], budget, COUNT)]


def test_trimming_leaves_out_as_little_as_fits() -> None:
    # "[1] Manual" and 11 tokens, "[2] Manual" and 8: 27 in all. By its characters, of 115, the last sentence
    # (20) takes 4.7 and "Apples" (23) 5.4.
    whole = [" ".join(FOUR[:2]), " ".join(FOUR[2:])]
    assert len("".join(render_units([c.chunk for c in BOTH]))) == 115
    assert fitted(27) == whole
    assert fitted(26) == fitted(23) == [whole[0], FOUR[2]]
    assert fitted(22) == fitted(17) == [FOUR[0], FOUR[2]]
    assert fitted(11) == [FOUR[0], FOUR[2]]


def test_only_the_preferred_candidates_must_fit() -> None:
    # The first page by itself takes 15.
    assert fitted(15, wanted=1) == [" ".join(FOUR[:2]), " ".join(FOUR[2:])]
    assert fitted(14, wanted=1) == [FOUR[0], FOUR[2]]
    assert fitted(1, wanted=0) == [FOUR[0], FOUR[2]]  # not one fits: as hard as it goes
    assert trim_to_fit([], [], 9, COUNT) == []


def test_the_largest_share_keeps_sentences_nearly_as_good_as_the_best() -> None:
    close = [scored(FOUR, [0.8, 0.77, 0.75, 0.1])]
    assert SHARES[-1] == 0.95
    (candidate,) = trim_to_fit(close, [close[0].candidate], 1, COUNT)
    assert candidate.chunk.text == " ".join(FOUR[:2])


sentences = st.sampled_from(
    [*FOUR, "Yes.", "For example:", "## Head", "Title\n=====", "héllo wörld", "\ud83c."]
)
chunks = st.lists(st.tuples(sentences, st.integers(0, 4)), min_size=1, max_size=8)


def _kept(found: ScoredSentences, chunk: Chunk) -> set[int]:
    return {
        n for n, (start, end) in enumerate(found.spans) if any(a <= start < end <= b for a, b in chunk.spans)
    }


@given(
    st.lists(chunks, max_size=3), st.integers(0, 10), st.integers(0, 10), st.sampled_from([" ", "\n", "\n\n"])
)
def test_spans_reproduce_the_text_and_a_larger_share_keeps_no_more(
    made: list[list[tuple[str, int]]], one: int, other: int, between: str
) -> None:
    found = [
        scored([s for s, _ in chunk], [n / 4 for _, n in chunk], between, rank)
        for rank, chunk in enumerate(made, start=1)
    ]
    low, high = (trim(found, share / 10, COUNT) for share in sorted((one, other)))
    assert [c.rank for c in low] == [c.rank for c in high] == list(range(1, len(made) + 1))
    for before, wide, narrow in zip(found, low, high, strict=True):
        document = LEAD + before.candidate.chunk.text
        for chunk in (wide.chunk, narrow.chunk):
            assert chunk.text == OMISSION.join(document[a:b] for a, b in chunk.spans)
            edges = [edge for span in chunk.spans for edge in span]
            assert all(a < b for a, b in pairwise(edges))
            # Whole sentences, and what stands between two of them.
            assert {a for a, _ in chunk.spans} <= {a for a, _ in before.spans}
            assert {b for _, b in chunk.spans} <= {b for _, b in before.spans}
            assert chunk.num_tokens == COUNT([chunk.text])[0]
            assert int(np.argmax(before.scores)) in _kept(before, chunk)
        assert _kept(before, narrow.chunk) <= _kept(before, wide.chunk)


@given(st.lists(chunks, min_size=1, max_size=4), st.integers(1, 60), st.integers(0, 4))
def test_a_budget_is_refused_only_if_no_trimming_would_do(
    made: list[list[tuple[str, int]]], budget: int, wanted: int
) -> None:
    found = [
        scored([s for s, _ in chunk], [n / 4 for _, n in chunk], "\n", rank)
        for rank, chunk in enumerate(made, start=1)
    ]
    candidates = trim_to_fit(found, [one.candidate for one in found[:wanted]], budget, COUNT)
    sizes, smallest = (
        [COUNT(render_units([c.chunk]))[0] for c in trimmed]
        for trimmed in (candidates, trim(found, SHARES[-1], COUNT))
    )
    assert min(sizes) <= budget or sizes == smallest
