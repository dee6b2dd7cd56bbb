"""Spans of a document, and the text that they make together when something was left out between them."""

from collections.abc import Sequence
from itertools import pairwise

Span = tuple[int, int]
"""First character and one past the last."""

OMISSION = "\n\N{HORIZONTAL ELLIPSIS}\n"
"""Stands where sentences were left out. A line of its own, for beside a heading, a list item or a code fence
anything else would become a part of it; two tokens of o200k_base, where `[...]` on a line takes four."""


def lie_apart(spans: Sequence[Span], within: Span) -> bool:
    """Whether spans lie inside another in order, none empty, a character or more between any two.

    >>> lie_apart([(0, 2), (3, 5)], (0, 5)), lie_apart([(0, 2), (2, 5)], (0, 5)), lie_apart([], (0, 5))
    (True, False, False)
    """
    edges = [within[0] - 1, *(edge for span in spans for edge in span), within[1] + 1]
    return len(edges) > 2 and within[0] >= 0 and all(a < b for a, b in pairwise(edges))


def are_joined(text: str, spans: Sequence[Span]) -> bool:
    """Whether a text has the length of its spans and `OMISSION` between any two of them.

    >>> are_joined("ab\\n…\\ncd", [(0, 2), (7, 9)]), are_joined("ab, cd", [(0, 2), (7, 9)])
    (True, False)
    """
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
