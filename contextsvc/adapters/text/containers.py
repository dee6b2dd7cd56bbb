"""Containers: lines of a text that should stay together, and which of them each line is in."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

MAX_DEPTH = 20
"""Largest number of containers around a line that are told. Deeper ones would take quadratic memory."""


@dataclass(frozen=True, slots=True)
class Container:
    """Lines that should stay together.

    Attributes:
        kind: An ordered "list", an "item" of any list, or a "box": a quote, an admonition or the like.
        first: Number of the first line.
        end: Number one past the last line.
    """

    kind: Literal["list", "item", "box"]
    first: int
    end: int


def containers_of_lines(num_lines: int, containers: Sequence[Container]) -> list[tuple[int, ...]]:
    """Return for each line the numbers of the containers around it, outermost first (`Block.within`).

    An item is left out on the lines of a list or an item directly inside it.

    Args:
        num_lines: Number of lines.
        containers: The containers. Of containers with the same lines, the outer one comes first.
    """
    ordered = sorted(containers, key=lambda container: (container.first, -container.end))
    around: list[list[int]] = [[] for _ in range(num_lines)]
    for number, container in enumerate(ordered):
        for numbers in around[container.first : container.end]:
            if len(numbers) < MAX_DEPTH:
                numbers.append(number)
    # Many lines have the same containers.
    told: dict[tuple[int, ...], tuple[int, ...]] = {(): ()}
    found = []
    for numbers in around:
        path = tuple(numbers)
        if path not in told:
            told[path] = _without_outer_items(path, ordered)
        found.append(told[path])
    return found


def _without_outer_items(path: Sequence[int], containers: Sequence[Container]) -> tuple[int, ...]:
    inner = [*(containers[number].kind for number in path[1:]), "box"]
    return tuple(
        number
        for number, following in zip(path, inner, strict=True)
        if containers[number].kind != "item" or following == "box"
    )
