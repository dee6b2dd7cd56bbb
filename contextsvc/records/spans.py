"""Spans of a document, and the text of several spans with a mark between them."""

from collections.abc import Sequence
from itertools import pairwise

Span = tuple[int, int]
"""First character and one past the last one."""

OMISSION = "\n\N{HORIZONTAL ELLIPSIS}\n"
"""Mark in the place of sentences that were left out. It is a line of its own, because on the line of a
heading, list item or code fence it would become part of that. It has two tokens of o200k_base; `[...]` on a
line has four."""


def spans_match_text(spans: Sequence[Span], text: str, hull: Span, whole: Span) -> bool:
    """Whether a text can be the text of some spans, joined by `OMISSION`.

    The document is not known: length of the text and places of its marks are compared.

    Args:
        spans: Expected in order, none empty, with a gap between any two.
        text: The text.
        hull: Expected to reach from the start of the first span to the end of the last.
        whole: Span in which all spans must lie.

    >>> spans_match_text([(0, 2), (7, 9)], "ab\\n…\\ncd", (0, 9), (0, 9))
    True
    >>> spans_match_text([(0, 2), (2, 4)], "ab\\n…\\ncd", (0, 4), (0, 9))
    False
    >>> spans_match_text([(0, 2)], "abc", (0, 2), (0, 9))
    False
    """
    if len(spans) == 1:  # the fast path: all chunks of a build have one span
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
    """Position in the joined text of a character of the document; None if the text does not hold it.

    >>> [offset_in([(0, 2), (7, 9)], at) for at in (1, 2, 7)]
    [1, None, 5]
    """
    offset = 0
    for start, end in spans:
        if start <= at < end:
            return offset + at - start
        offset += end - start + len(OMISSION)
    return None
