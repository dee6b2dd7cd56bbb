"""Texts of several spans, for every document."""

from hypothesis import given
from hypothesis import strategies as st

from contextsvc.records.spans import OMISSION, Span, offset_in, spans_match_text


@st.composite
def trimmed(draw: st.DrawFn) -> tuple[str, list[Span]]:
    """A document, and spans of it with a gap between any two."""
    document = draw(st.text(alphabet="ab \n", min_size=1, max_size=30))
    edges = sorted(draw(st.sets(st.integers(0, len(document)), min_size=2, max_size=8)))
    return document, list(zip(edges[0::2], edges[1::2], strict=False))


@given(trimmed())
def test_the_text_of_spans_matches_them_and_each_character_has_its_offset(
    made: tuple[str, list[Span]],
) -> None:
    document, spans = made
    hull, whole = (spans[0][0], spans[-1][1]), (0, len(document))
    text = OMISSION.join(document[start:end] for start, end in spans)
    assert spans_match_text(spans, text, hull, whole)
    assert not spans_match_text(spans, text + "a", hull, whole)
    assert not spans_match_text(spans, text, hull, (hull[0] + 1, len(document)))
    for at, character in enumerate(document):
        offset = offset_in(spans, at)
        assert (offset is not None) == any(start <= at < end for start, end in spans)
        assert offset is None or text[offset] == character


@given(trimmed())
def test_a_text_with_another_mark_does_not_match(made: tuple[str, list[Span]]) -> None:
    document, spans = made
    text = "\n..".join(document[start:end] for start, end in spans)
    assert spans_match_text(spans, text, (spans[0][0], spans[-1][1]), (0, len(document))) is (len(spans) == 1)
