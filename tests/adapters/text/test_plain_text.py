from hypothesis import given
from hypothesis import strategies as st

from contextsvc.adapters.text.plain_text import find_lines, parse_plain
from contextsvc.records.documents import Block


def kinds(text: str) -> list[tuple[str, str]]:
    return [(block.kind, text[block.start : block.end]) for block in parse_plain(text)]


def levels(text: str) -> list[int]:
    return [block.level for block in parse_plain(text) if block.kind == "heading"]


def test_lines_end_at_newlines_only_and_count_columns() -> None:
    found = [(line.start, line.end, line.indent, line.words) for line in find_lines("a \r\n\tb\fc\r\u2028\n")]
    assert found == [(0, 1, 0, "a"), (5, 8, 8, "b\fc"), (10, 10, 1, ""), (11, 11, 0, "")]


def test_heading_levels_follow_the_order_in_which_styles_appear() -> None:
    text = "====\nTop\n====\n\nPart\n====\n\nSub\n---\n\nPart two\n========\n"
    assert levels(text) == [1, 2, 3, 2]
    assert parse_plain(text)[0] == Block("heading", 0, 13, 1)


def test_a_run_shorter_than_the_title_is_no_underline() -> None:
    assert kinds("Title\n====\n") == [("paragraph", "Title\n====")]


def test_a_numbered_title_is_a_heading_and_a_bullet_is_not() -> None:
    assert kinds("1. Start\n========\n\n- a\n---\n") == [
        ("heading", "1. Start\n========"),
        ("list_item", "- a"),
        ("paragraph", "---"),
    ]


def test_a_literal_block_is_code_whatever_it_says() -> None:
    text = "Say::\n\n  Plain words here.\n\n    More words.\n\nBack.\n"
    assert kinds(text) == [
        ("paragraph", "Say::"),
        ("code", "Plain words here.\n\n    More words."),
        ("paragraph", "Back."),
    ]


def test_sphinx_output_tells_code_from_the_description_of_a_method() -> None:
    text = (
        "str.strip([chars])\n\n   Return a copy of the string with spaces removed.\n\n"
        "   For example:\n\n      >>> ' a '.strip()\n      'a'\n\n   See also \"lstrip()\".\n"
    )
    assert kinds(text) == [
        ("paragraph", "str.strip([chars])"),
        ("paragraph", "Return a copy of the string with spaces removed."),
        ("paragraph", "For example:"),
        ("code", ">>> ' a '.strip()\n      'a'"),
        ("paragraph", 'See also "lstrip()".'),
    ]


def test_code_with_blank_lines_is_one_block() -> None:
    text = "Example:\n\n   class A:\n       x = 1\n\n       def f(self):\n           return self.x\n\nEnd.\n"
    assert [kind for kind, _ in kinds(text)] == ["paragraph", "code", "paragraph"]


def test_a_doctest_is_code_without_an_indent() -> None:
    assert kinds("Try:\n\n>>> 1 + 1\n2\n\nDone.") == [
        ("paragraph", "Try:"),
        ("code", ">>> 1 + 1\n2"),
        ("paragraph", "Done."),
    ]


def test_directives_hold_code_or_prose_by_their_name() -> None:
    text = ".. code-block:: python\n\n   plain words\n\n.. note::\n\n   x = f(y)\n"
    assert [kind for kind, _ in kinds(text)] == ["paragraph", "code", "paragraph", "paragraph"]


def test_items_hang_and_nest() -> None:
    text = "Things:\n- one\n  more of one\n  - inner\n- two\n\n  second paragraph\n\n(1) first\n12. twelfth\n"
    assert kinds(text) == [
        ("paragraph", "Things:"),
        ("list_item", "- one\n  more of one"),
        ("list_item", "- inner"),
        ("list_item", "- two"),
        ("paragraph", "second paragraph"),
        ("list_item", "(1) first"),
        ("list_item", "12. twelfth"),
    ]


def test_grid_and_simple_tables_are_one_block_each() -> None:
    grid = "+---+---+\n| a | b |\n+===+===+\n| 1 | 2 |\n+---+---+"
    simple = "=== ===\na   b\n=== ===\n1   2\n\n3   4\n=== ==="
    assert kinds(f"Text\n\n{grid}\n\n{simple}\n\nEnd") == [
        ("paragraph", "Text"),
        ("table", grid),
        ("table", simple),
        ("paragraph", "End"),
    ]


def test_a_simple_table_without_an_end_is_text() -> None:
    assert kinds("=== ===\na   b") == [("paragraph", "=== ===\na   b")]


@given(st.text(alphabet="ab1.-=*# \r\n\t", max_size=200))
def test_lines_partition_the_text(text: str) -> None:
    lines = find_lines(text)
    assert "".join(text[line.start : line.end].strip() for line in lines).replace(" ", "").replace(
        "\t", ""
    ) == "".join(text.split())
