"""Spans, which are (start, end) character offsets, and texts that join several spans of a document."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

Span = tuple[int, int]
"""Offset of the first character and offset after the last character."""

NO_SPAN: Span = (0, 0)
"""Span of no text."""

OMISSION = "\n\N{HORIZONTAL ELLIPSIS}\n"
"""Omission mark: the text that stands for sentences that were left out. The mark is a line of its own,
because on the line of a heading, list item or code fence it would become part of that line's element. The
mark takes two tokens of o200k_base; `[...]` on a line would take four."""


@dataclass(frozen=True, slots=True)
class Frame:
    """Lines repeated around a part of a block: the lines of a fence, or the header rows of a table.

    The lines are copies from another place in the document, so no span covers them. A part that holds the
    first (last) line of its block has an empty opening (closing).

    Attributes:
        opening: Text before the part, with a line end; empty if nothing is repeated.
        closing: Text after the part, which begins with a line end; empty if nothing is repeated.
    """

    opening: str = ""
    closing: str = ""

    @classmethod
    def of(cls, before: str, after: str) -> "Frame":
        """Return the frame of these lines, without the line end next to the part; "" stands for no line."""
        return cls(f"{before}\n" if before else "", f"\n{after}" if after else "")

    @classmethod
    def cut(cls, text: str, opening: Span, closing: Span) -> "Frame":
        """Return the frame whose lines are copied from a document.

        Args:
            text: Text of the document.
            opening: Span of the lines before the part, without the last line end; (0, 0) for no lines.
            closing: Span of the lines after the part; (0, 0) for no lines.
        """
        return cls.of(text[slice(*opening)], text[slice(*closing)])


NO_FRAME = Frame()


def framed_offsets(spans: Sequence[Span], frames: Sequence[Frame]) -> list[int]:
    """Return the offset of each span in the text that joins the framed spans by `OMISSION`.

    Args:
        spans: (start, end) character offsets in the document, in order.
        frames: The frame of each span; empty if no span has one.

    >>> framed_offsets([(0, 2), (7, 9)], [Frame("a | b\\n", ""), NO_FRAME])
    [6, 11]
    """
    offsets, at = [], 0
    for (start, end), frame in zip(spans, frames or [NO_FRAME] * len(spans), strict=True):
        offsets.append(at + len(frame.opening))
        at += len(frame.opening) + end - start + len(frame.closing) + len(OMISSION)
    return offsets


def repeated_spans(spans: Sequence[Span], frames: Sequence[Frame]) -> list[Span]:
    """Return the offsets (start, end) of repeated lines in the text that joins the framed spans, in order.

    A line end between the repeated lines and the part belongs to the repeated lines.

    >>> repeated_spans([(4, 6)], [Frame("```\\n", "\\n```")])
    [(0, 4), (6, 10)]
    """
    found: list[Span] = []
    for (start, end), frame, at in zip(spans, frames, framed_offsets(spans, frames), strict=True):
        after = at + end - start
        found += [(at - len(frame.opening), at), (after, after + len(frame.closing))]
    return [(start, end) for start, end in found if start < end]


def frames_in_text(text: str, spans: Sequence[Span], repeated: Sequence[Span]) -> list[Frame]:
    """Return the frame of each span, given which offsets of the text are repeated lines.

    This is the inverse of `repeated_spans`.

    >>> frames_in_text("```\\nab\\n```", [(4, 6)], [(0, 4), (6, 10)])
    [Frame(opening='```\\n', closing='\\n```')]
    """
    ends = dict(repeated)
    frames, at = [], 0
    for start, end in spans:
        first = ends.get(at, at)
        after = first + end - start
        last = ends.get(after, after)
        frames.append(Frame(text[at:first], text[after:last]))
        at = last + len(OMISSION)
    return frames


def spans_match_text(
    spans: Sequence[Span], text: str, hull: Span, whole: Span, frames: Sequence[Frame] = ()
) -> bool:
    """Return whether a text can consist of some framed spans of a document, joined by `OMISSION`.

    This function does not know the document. It compares the length of the text and the positions of the
    frames and omission marks with the spans.

    Args:
        spans: (start, end) character offsets. The result is False unless they are in order, none is empty,
            and there is a gap between any two.
        text: The text.
        hull: Must be the start of the first span and the end of the last span.
        whole: Span in which all spans must lie.
        frames: The frame of each span; empty if no span has one.

    >>> spans_match_text([(0, 2), (7, 9)], "ab\\n…\\ncd", (0, 9), (0, 9))
    True
    >>> spans_match_text([(0, 2), (2, 4)], "ab\\n…\\ncd", (0, 4), (0, 9))
    False
    >>> spans_match_text([(0, 2)], "abc", (0, 2), (0, 9))
    False
    >>> spans_match_text([(4, 6)], "```\\nab\\n```", (4, 6), (4, 6), [Frame("```\\n", "\\n```")])
    True
    """
    if len(spans) == 1 and not frames:  # fast path, because nearly every chunk of a build has one bare span
        start, end = spans[0]
        return 0 <= whole[0] <= start < end <= whole[1] and spans[0] == hull and end - start == len(text)
    edges = [whole[0] - 1, *(edge for span in spans for edge in span), whole[1] + 1]
    if whole[0] < 0 or hull != (edges[1], edges[-2]) or not all(a < b for a, b in pairwise(edges)):
        return False
    if frames and len(frames) != len(spans):
        return False
    rest = text
    for number, (start, end) in enumerate(spans):
        frame = frames[number] if frames else NO_FRAME
        before, after = OMISSION * (number > 0) + frame.opening, frame.closing
        inside = len(before) + end - start
        if not (rest.startswith(before) and rest.startswith(after, inside)):
            return False
        rest = rest[inside + len(after) :]
    # A text that ends too early has an empty rest, too.
    return not rest and len(text) == _framed_length(spans, frames)


def _framed_length(spans: Sequence[Span], frames: Sequence[Frame]) -> int:
    own = sum(end - start for start, end in spans) + len(OMISSION) * (len(spans) - 1)
    return own + sum(len(frame.opening) + len(frame.closing) for frame in frames)


def offset_in(spans: Sequence[Span], at: int, frames: Sequence[Frame] = ()) -> int | None:
    """Return the offset of a document's character in the text of some framed spans, joined by `OMISSION`.

    Args:
        spans: (start, end) character offsets in the document, in order.
        at: Offset of the character in the document.
        frames: The frame of each span; empty if no span has one.

    Returns:
        The offset in the joined text, or None if no span holds the character.

    >>> [offset_in([(0, 2), (7, 9)], at) for at in (1, 2, 7)]
    [1, None, 5]
    """
    for (start, end), offset in zip(spans, framed_offsets(spans, frames), strict=True):
        if start <= at < end:
            return offset + at - start
    return None
