"""Choose positions for point labels in a chart: beside their point, covering as little as possible."""

from collections.abc import Sequence

# Rejected: adjustText 1.4, which places labels over intervals that it should avoid, and needs pyplot.

Box = tuple[float, float, float, float]
"""A rectangle as (left, low, right, high)."""

_GAP = 10.0
_REACHES = (0.0, 13.0, 26.0, 39.0, 54.0, 70.0, 88.0, 108.0)


def place_labels(
    points: Sequence[tuple[float, float]],
    sizes: Sequence[tuple[float, float]],
    obstacles: Sequence[Box],
    frame: Box,
) -> list[Box]:
    """Return the box of each label, in the order of the points.

    Labels of earlier points are placed first. All arguments have the same unit of length.

    Args:
        points: (x, y) of each point.
        sizes: (width, height) of each label.
        obstacles: Boxes that labels should not cover. Thin boxes weigh as much as thick ones.
        frame: Box in which labels should stay.

    Returns:
        For each label, the first free box when right, left, above and below its point are tried in this
        order, near the point first and then farther away. If no box is free, the one that covers least.
    """
    taken = [(_grown(box, 3.0), 1.0) for box in obstacles]
    taken += [((x - 6, y - 6, x + 6, y + 6), 5.0) for x, y in points]
    placed = []
    for (x, y), size in zip(points, sizes, strict=True):
        best = min(_places(x, y, *size), key=lambda place: round(_covered(place, taken, frame)))
        placed.append(best)
        taken.append((_grown(best, 1.0), 5.0))
    return placed


def _grown(box: Box, by: float) -> Box:
    return box[0] - by, box[1] - by, box[2] + by, box[3] + by


def _places(x: float, y: float, width: float, height: float) -> list[Box]:
    corners = []
    for reach in _REACHES:
        for up in (reach, -reach):
            corners += [(x + _GAP, y + up - height / 2), (x - _GAP - width, y + up - height / 2)]
        for low in (y + _GAP + reach, y - _GAP - reach - height):
            corners += [(x - width / 2, low), (x - width * 0.2, low), (x - width * 0.8, low)]
    return [(left, low, left + width, low + height) for left, low in corners]


def _covered(place: Box, taken: Sequence[tuple[Box, float]], frame: Box) -> float:
    """Return the weighted area of a candidate box that covers something or lies outside the frame.

    Area outside the frame has the highest weight.
    """
    area = (place[2] - place[0]) * (place[3] - place[1])
    return sum(weight * _shared(place, box) for box, weight in taken) + 20 * (area - _shared(place, frame))


def _shared(one: Box, other: Box) -> float:
    wide, high = (min(one[side + 2], other[side + 2]) - max(one[side], other[side]) for side in (0, 1))
    return max(0.0, wide) * max(0.0, high)
