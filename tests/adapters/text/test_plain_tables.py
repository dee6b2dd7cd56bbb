from hypothesis import given
from hypothesis import strategies as st

from contextsvc.adapters.text.lines import find_lines
from contextsvc.adapters.text.plain_tables import header_end, is_grid_border, table_ends


def ends(text: str) -> list[int]:
    return table_ends(find_lines(text))


def test_each_kind_of_table_ends_after_its_last_line() -> None:
    assert ends("+--+\n|a |\n+--+\nx") == [3, 0, 3, 0]
    assert ends("== ==\na  b\n== ==\n1  2\n== ==\n\nx") == [5, 0, 5, 0, 0, 0, 0]
    assert ends("| a |\n|---|\n| 1 |\nx") == [3, 0, 0, 0]


def test_what_only_looks_like_a_table_is_none() -> None:
    assert ends("== ==\na  b") == [0, 0]
    assert ends("| a |\n| 1 |") == [0, 0]
    assert ends("+ a\n| b") == [0, 0]


def test_the_header_ends_with_its_border() -> None:
    lines = find_lines("+--+\n|a |\n+==+\n|1 |\n+--+")
    assert header_end(lines, 0, 5) == 3
    lines = find_lines("== ==\na  b\n== ==\n1  2\n== ==")
    assert header_end(lines, 0, 5) == 3
    assert header_end(find_lines("| a |\n|---|\n| 1 |"), 0, 3) == 2
    assert header_end(find_lines("== ==\n1  2\n== =="), 0, 3) == 0


def test_borders_of_grid_tables() -> None:
    assert is_grid_border("+---+====+")
    assert not is_grid_border("+ --+")


LINES = st.lists(st.sampled_from(["+--+", "+==+", "|a |", "|--|", "== ==", "a  b", "", "x"]), max_size=12)


@given(LINES)
def test_tables_end_inside_the_text_and_headers_inside_their_table(made: list[str]) -> None:
    lines = find_lines("\n".join(made))
    for first, end in enumerate(table_ends(lines)):
        if end:
            assert first < end <= len(lines)
            assert all(line.words for line in lines[first:end]) or made[first] == "== =="
            assert header_end(lines, first, end) <= end
