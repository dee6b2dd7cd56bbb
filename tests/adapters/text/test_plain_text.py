from hypothesis import given

from contextsvc.adapters.text.plain_text import parse_plain
from contextsvc.records.documents import Block
from tests.strategies.structured import RST


def kinds(text: str) -> list[tuple[str, str]]:
    return [(block.kind, text[block.start : block.end]) for block in parse_plain(text)]


def levels(text: str) -> list[int]:
    return [block.level for block in parse_plain(text) if block.kind == "heading"]


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
        ("code", "  Plain words here.\n\n    More words."),
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
        ("code", "      >>> ' a '.strip()\n      'a'"),
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


def within(text: str) -> list[tuple[str, tuple[int, ...], str]]:
    blocks = parse_plain(text)
    return [(block.kind, block.within, text[block.start : block.end]) for block in blocks]


def test_a_directive_holds_what_is_indented_under_it() -> None:
    text = ".. note::\n\n   a\n\n   - b\n\nc\n\n.. code-block:: sh\n\n   d\n\n.. _e:\n\nf\n"
    assert within(text) == [
        ("paragraph", (0,), ".. note::"),
        ("paragraph", (0,), "a"),
        ("list_item", (0, 1), "- b"),
        ("paragraph", (), "c"),
        ("paragraph", (2,), ".. code-block:: sh"),
        ("code", (2,), "   d"),
        ("paragraph", (3,), ".. _e:"),
        ("paragraph", (), "f"),
    ]
    assert [block.edge for block in parse_plain(text)] == ["first", "", "", "", "first", "", "first", ""]


def test_an_ordered_list_holds_items_of_one_indent_and_style() -> None:
    text = "1. a\n\n   b\n\n   - c\n2. d\n3) e\n\nf\n\n#. g\n#. h\n"
    assert within(text) == [
        ("list_item", (0, 1), "1. a"),
        ("paragraph", (0, 1), "b"),
        ("list_item", (0, 2), "- c"),
        ("list_item", (0, 3), "2. d"),
        ("list_item", (4, 5), "3) e"),
        ("paragraph", (), "f"),
        ("list_item", (6, 7), "#. g"),
        ("list_item", (6, 8), "#. h"),
    ]


def test_a_fence_is_code_if_it_is_closed() -> None:
    text = "a\n```sh\nb\n\nc\n```\nd\n```\n"
    assert kinds(text) == [("paragraph", "a"), ("code", "```sh\nb\n\nc\n```"), ("paragraph", "d\n```")]
    fence = parse_plain(text)[1]
    assert (text[slice(*fence.opening)], text[slice(*fence.closing)]) == ("```sh", "```")


def test_the_header_of_a_table_is_repeated() -> None:
    grid = "  +---+\n  | a |\n  +===+\n  | 1 |\n  +---+"
    simple = "=== ===\na   b\n=== ===\n1   2\n=== ==="
    pipes = "| a |\n|---|\n| 1 |"
    for table, header in ((grid, grid[:23]), (simple, simple[:21]), (pipes, pipes[:11])):
        (block,) = parse_plain(table + "\n")
        assert (block.kind, table[slice(*block.opening)]) == ("table", header)


def test_a_table_without_a_header_repeats_nothing() -> None:
    for table in ("+---+\n| 1 |\n+---+", "=== ===\n1   2\n=== ==="):
        (block,) = parse_plain(table)
        assert (block.kind, block.opening) == ("table", (0, 0))


@given(RST)
def test_containers_are_numbered_from_the_outside_in_and_hold_consecutive_blocks(text: str) -> None:
    paths = [block.within for block in parse_plain(text)]
    for number in {number for path in paths for number in path}:
        held = [at for at, path in enumerate(paths) if number in path]
        assert all(path == tuple(sorted(path)) for path in paths)
        # What is left out between two blocks of a container are lists or items in an item.
        assert all(paths[at] for at in range(held[0], held[-1] + 1))
