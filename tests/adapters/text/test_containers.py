from hypothesis import given
from hypothesis import strategies as st

from contextsvc.adapters.text.containers import MAX_DEPTH, Container, containers_of_lines


def test_containers_nest_by_their_lines() -> None:
    found = containers_of_lines(5, [Container("box", 2, 4), Container("box", 1, 5)])
    assert found == [(), (0,), (0, 1), (0, 1), (0,)]


def test_an_outer_item_does_not_hold_the_lists_and_items_in_it() -> None:
    outer, inner = Container("item", 0, 4), Container("item", 1, 3)
    assert containers_of_lines(4, [outer, inner]) == [(0,), (1,), (1,), (0,)]
    with_list = [outer, Container("list", 1, 3), inner]
    assert containers_of_lines(4, with_list) == [(0,), (1, 2), (1, 2), (0,)]


def test_an_outer_item_holds_the_quotes_in_it() -> None:
    found = containers_of_lines(2, [Container("item", 0, 2), Container("box", 1, 2), Container("item", 1, 2)])
    assert found == [(0,), (0, 1, 2)]


def test_only_the_outermost_containers_are_told() -> None:
    found = containers_of_lines(1, [Container("box", 0, 1)] * 30)
    assert found == [tuple(range(MAX_DEPTH))]


CONTAINERS = st.lists(
    st.builds(
        lambda kind, first, length: Container(kind, first, first + length),
        st.sampled_from(["list", "item", "box"]),
        st.integers(0, 9),
        st.integers(1, 9),
    ),
    max_size=8,
)


@given(CONTAINERS)
def test_each_line_is_told_only_containers_around_it_and_every_box(containers: list[Container]) -> None:
    ordered = sorted(containers, key=lambda container: (container.first, -container.end))
    for line, path in enumerate(containers_of_lines(20, containers)):
        around = {number for number, one in enumerate(ordered) if one.first <= line < one.end}
        assert set(path) <= around
        assert path == tuple(sorted(path))
        assert {number for number in around if ordered[number].kind != "item"} <= set(path)
