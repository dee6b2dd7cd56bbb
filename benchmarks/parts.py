"""Halves of a set of questions: settings are chosen on one half, figures reported on the other."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeVar

Part = Literal["tune", "report", "all"]
PARTS: tuple[Part, ...] = ("tune", "report", "all")


def part_of(text: str) -> Part:
    """`tune` or `report`, about half each, from a hash of the question's text.

    >>> part_of("sorting")
    'report'
    """
    return PARTS[hashlib.sha256(text.encode()).digest()[0] % 2]


@dataclass(frozen=True, slots=True)
class Parted:
    """A question that belongs to a half."""

    text: str

    @property
    def part(self) -> Part:
        """`tune` or `report`."""
        return part_of(self.text)


Question = TypeVar("Question", bound=Parted)


def of_part(questions: Iterable[Question], part: Part) -> tuple[Question, ...]:
    """Questions of a part, in the order given."""
    return tuple(question for question in questions if part in ("all", question.part))
