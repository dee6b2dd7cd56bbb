"""Spans, which are (start, end) character offsets, and texts that join several spans of a document."""

from collections.abc import Sequence
from itertools import pairwise

Span = tuple[int, int]
"""Offset of the first character and offset after the last character."""

OMISSION = "\n\N{HORIZONTAL ELLIPSIS}\n"
"""Omission mark: the text that stands for sentences that were left out. The mark is a line of its own,
because on the line of a heading, list item or code fence it would become part of that line's element. The
mark takes two tokens of o200k_base; `[...]` on a line would take four."""


def spans_match_text(spans: Sequence[Span], text: str, hull: Span, whole: Span) -> bool:
    """Return whether a text can consist of some spans of a document, joined by `OMISSION`.

    This function does not know the document. It compares the length of the text and the positions of the
    omission marks with the spans.

    Args:
        spans: (start, end) character offsets. The result is False unless they are in order, none is empty,
            and there is a gap between any two.
        text: The text.
        hull: Must be the start of the first span and the end of the last span.
        whole: Span in which all spans must lie.

    >>> spans_match_text([(0, 2), (7, 9)], "ab\\n…\\ncd", (0, 9), (0, 9))
    True
    >>> spans_match_text([(0, 2), (2, 4)], "ab\\n…\\ncd", (0, 4), (0, 9))
    False
    >>> spans_match_text([(0, 2)], "abc", (0, 2), (0, 9))
    False
    """
    if len(spans) == 1:  # fast path, because every chunk of a build has one span
        start, end = spans[0]
        return 0 <= whole[0] <= start < end <= whole[1] and spans[0] == hull and end - start == len(text)
    edges = [whole[0] - 1, *(edge for span in spans for edge in span), whole[1] + 1]
    if whole[0] < 0 or hull != (edges[1], edges[-2]) or not all(a < b for a, b in pairwise(edges)):
        return False
    at = 0
    for number, (start, end) in enumerate(spans):
        if number and not text.startswith(OMISSION, at - len(OMISSION)):
            return False
        at += end - start + len(OMISSION)
    return at - len(OMISSION) == len(text)


def offset_in(spans: Sequence[Span], at: int) -> int | None:
    """Return the offset of a document's character in the text of some spans, joined by `OMISSION`.

    Args:
        spans: (start, end) character offsets in the document, in order.
        at: Offset of the character in the document.

    Returns:
        The offset in the joined text, or None if no span holds the character.

    >>> [offset_in([(0, 2), (7, 9)], at) for at in (1, 2, 7)]
    [1, None, 5]
    """
    offset = 0
    for start, end in spans:
        if start <= at < end:
            return offset + at - start
        offset += end - start + len(OMISSION)
    return None
