"""Spans of a document, and the text that they make together when something was left out between them."""

from collections.abc import Sequence
from itertools import pairwise

Span = tuple[int, int]
"""First character and one past the last."""

OMISSION = "\n\N{HORIZONTAL ELLIPSIS}\n"
"""Stands where sentences were left out. A line of its own, for beside a heading, a list item or a code fence
anything else would become a part of it; two tokens of o200k_base, where `[...]` on a line takes four."""


def explain(spans: Sequence[Span], text: str, hull: Span, whole: Span) -> bool:
    """Whether a text can be what stands at some spans, joined by `OMISSION`.

    Args:
        spans: In order, none empty, a character or more between any two: something was left out there.
        text: Compared by its length and where its marks stand, for the document is not at hand.
        hull: From the first character of the first span to the end of the last.
        whole: What the spans lie in.

    >>> explain([(0, 2), (7, 9)], "ab\\n…\\ncd", (0, 9), (0, 9))
    True
    >>> explain([(0, 2), (2, 4)], "ab\\n…\\ncd", (0, 4), (0, 9)), explain([(0, 2)], "abc", (0, 2), (0, 9))
    (False, False)
    """
    if len(spans) == 1:  # at once: a build makes all its chunks, and each is of one span
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
    """Where in the joined text a character of the document stands; None: nowhere.

    >>> [offset_in([(0, 2), (7, 9)], at) for at in (1, 2, 7)]
    [1, None, 5]
    """
    offset = 0
    for start, end in spans:
        if start <= at < end:
            return offset + at - start
        offset += end - start + len(OMISSION)
    return None
