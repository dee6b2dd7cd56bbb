from hypothesis import given
from hypothesis import strategies as st

from contextsvc.adapters.text.lines import find_lines, indented_end


def test_lines_end_at_newlines_only_and_count_columns() -> None:
    lines = find_lines("a \r\n\tb\fc\r\u2028\n")
    found = [(line.begin, line.start, line.end, line.indent, line.words) for line in lines]
    assert found == [(0, 0, 1, 0, "a"), (4, 5, 8, 8, "b\fc"), (9, 10, 10, 1, ""), (11, 11, 11, 0, "")]


def test_indented_lines_end_at_the_first_line_with_less_indent() -> None:
    lines = find_lines("a\n  b\n\n   c\n\nd\n  e\n")
    assert indented_end(lines, 0, 2) == 4
    assert indented_end(lines, 0, 3) == 1
    assert indented_end(lines, 6, 1) == 7


@given(st.text(alphabet="ab1.-=*# \r\n\t", max_size=200))
def test_lines_partition_the_text(text: str) -> None:
    lines = find_lines(text)
    assert "".join(text[line.start : line.end].strip() for line in lines).replace(" ", "").replace(
        "\t", ""
    ) == "".join(text.split())
