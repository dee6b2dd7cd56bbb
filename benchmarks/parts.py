"""Halves of a set of questions: choices are made on one and quoted on the other."""

import hashlib
from collections.abc import Iterable
from typing import Literal, Protocol, TypeVar

Part = Literal["tune", "report", "all"]
PARTS: tuple[Part, ...] = ("tune", "report", "all")


def part_of(text: str) -> Part:
    """`tune` or `report`, about half each, by a hash of the question: no choice of ours can move it.

    >>> part_of("sorting")
    'report'
    """
    return PARTS[hashlib.sha256(text.encode()).digest()[0] % 2]


class Parted(Protocol):
    """A question."""

    @property
    def part(self) -> Part:
        """`tune` or `report`."""


Question = TypeVar("Question", bound=Parted)


def of_part(questions: Iterable[Question], part: Part) -> tuple[Question, ...]:
    """Those of a part, in their order."""
    return tuple(question for question in questions if part in ("all", question.part))
