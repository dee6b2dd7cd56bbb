"""Texts of several spans, for every document."""

from hypothesis import given
from hypothesis import strategies as st

from contextsvc.records.spans import (
    NO_FRAME,
    OMISSION,
    Frame,
    Span,
    frames_in_text,
    offset_in,
    repeated_spans,
    spans_match_text,
)


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


FRAMES = st.sampled_from([NO_FRAME, Frame("h\n", ""), Frame("", "\n```"), Frame("```go\n", "\n```")])


@given(trimmed(), st.data())
def test_framed_spans_match_their_text_and_each_character_has_its_offset(
    made: tuple[str, list[Span]], data: st.DataObject
) -> None:
    document, spans = made
    frames = data.draw(st.lists(FRAMES, min_size=len(spans), max_size=len(spans)))
    parts = zip(spans, frames, strict=True)
    text = OMISSION.join(frame.opening + document[a:b] + frame.closing for (a, b), frame in parts)
    hull, whole = (spans[0][0], spans[-1][1]), (0, len(document))
    assert spans_match_text(spans, text, hull, whole, frames)
    assert not spans_match_text(spans, text + "x", hull, whole, frames)
    assert not spans_match_text(spans, text, hull, whole, [*frames, NO_FRAME])
    for at in (at for start, end in spans for at in range(start, end)):
        offset = offset_in(spans, at, frames)
        assert offset is not None
        assert text[offset] == document[at]
    repeated = repeated_spans(spans, frames)
    assert "".join(text[start:end] for start, end in repeated) == "".join(
        frame.opening + frame.closing for frame in frames
    )
    assert frames_in_text(text, spans, repeated) == frames


def test_a_frame_is_cut_from_the_document() -> None:
    text = "```go\na\nb\n```"
    assert Frame.cut(text, (0, 5), (10, 13)) == Frame("```go\n", "\n```")
    assert Frame.cut(text, (0, 0), (0, 0)) == NO_FRAME
