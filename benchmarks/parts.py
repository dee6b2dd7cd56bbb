"""Halves of a set of questions: choices are made on one and quoted on the other."""

import hashlib
from typing import Literal

Part = Literal["tune", "report", "all"]
PARTS: tuple[Part, ...] = ("tune", "report", "all")


def part_of(text: str) -> Part:
    """`tune` or `report`, about half each, by a hash of the question: no choice of ours can move it.

    >>> part_of("sorting")
    'report'
    """
    return PARTS[hashlib.sha256(text.encode()).digest()[0] % 2]
