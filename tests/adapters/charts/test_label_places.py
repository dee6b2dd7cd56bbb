"""Labels beside points, by hand."""

from hypothesis import given
from hypothesis import strategies as st

from contextsvc.adapters.charts.label_places import Box, place_labels

FRAME = (0.0, 0.0, 400.0, 300.0)
SIZE = (60.0, 10.0)


def apart(one: Box, other: Box) -> bool:
    return one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]


def test_a_lone_label_lies_to_the_right() -> None:
    assert place_labels([(100, 100)], [SIZE], [], FRAME) == [(110, 95, 170, 105)]


def test_at_the_right_edge_it_lies_to_the_left() -> None:
    assert place_labels([(390, 100)], [SIZE], [], FRAME) == [(320, 95, 380, 105)]


def test_it_keeps_off_a_line() -> None:
    ((left, low, right, high),) = place_labels([(100, 100)], [SIZE], [(0, 100, 400, 100)], FRAME)
    assert low > 103 or high < 97
    assert left < 110 < right


def test_nothing_is_placed_for_no_points() -> None:
    assert place_labels([], [], [], FRAME) == []


POINTS = st.lists(
    st.tuples(st.integers(80, 320), st.integers(80, 220)), min_size=1, max_size=5, unique=True
)  # fmt: skip


@given(POINTS)
def test_few_labels_never_cover_each_other_and_stay_inside(points: list[tuple[int, int]]) -> None:
    boxes = place_labels(points, [SIZE] * len(points), [], FRAME)
    for number, box in enumerate(boxes):
        assert (box[2] - box[0], box[3] - box[1]) == SIZE
        assert box[0] >= 0
        assert box[1] >= 0
        assert box[2] <= 400
        assert box[3] <= 300
        assert all(apart(box, other) for other in boxes[:number])
