"""What stays together, and how it is cut where it does not fit. One word between spaces is one token."""

from collections.abc import Sequence
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextsvc.adapters.text.markdown import MarkdownItBlockParser
from contextsvc.adapters.text.plain_text import PlainBlockParser
from contextsvc.indexing.sentences import cut_sentences
from contextsvc.indexing.units import LOOSE, Piece, PieceCutter, UnitDivider
from contextsvc.ports import BlockParser
from contextsvc.records.documents import Block, Sentence
from contextsvc.records.spans import Frame
from tests.fakes.sentence_splitter import FakeSentenceSplitter

MARKDOWN, PLAIN = MarkdownItBlockParser(), PlainBlockParser()


def words(texts: Sequence[str]) -> list[int]:
    return [len(text.split()) for text in texts]


def read(texts: Sequence[str]) -> list[bool]:
    return [True] * len(texts)


def sentences(text: str, most: int, parser: BlockParser = MARKDOWN) -> list[Sentence]:
    return cut_sentences(text, parser.parse(text), FakeSentenceSplitter().split, read, words, most)


def units(text: str, most: int = 100, parser: BlockParser = MARKDOWN) -> list[str]:
    """Text of each unit, with the lines that are repeated around it."""
    found = []
    for _, run in groupby(sentences(text, most, parser), key=lambda sentence: sentence.unit):
        unit = list(run)
        frame = Frame.cut(text, unit[0].opening, unit[-1].closing)
        found.append(frame.opening + text[unit[0].start : unit[-1].end] + frame.closing)
    return found


def test_sentences_of_a_paragraph_are_units_of_their_own() -> None:
    assert units("One a. Two b.\n\nThree c.") == ["One a.", "Two b.", "Three c."]


@pytest.mark.parametrize("lead_in", ["Run this:", "**Restore**", "**Run:**", "As follows：", "## Steps:"])
def test_what_introduces_stays_with_what_follows(lead_in: str) -> None:
    for following in ("```\na b\n```", "- one", "| a |\n|---|\n| 1 |", "Text here.", "## Next"):
        if lead_in == "**Restore**" and following == "## Next":
            continue
        text = f"Before.\n\n{lead_in}\n\n{following}\n"
        assert units(text)[1] == f"{lead_in}\n\n{following}", text


def test_bold_words_do_not_introduce_a_heading_or_the_rest_of_their_paragraph() -> None:
    assert units("**Bold**\n\n## Next\n") == ["**Bold**", "## Next"]
    assert units("**Bold** is a word.\n\nText.\n") == ["**Bold** is a word.", "Text."]


def test_a_chain_of_lead_ins_holds_together() -> None:
    text = "To restore:\n\nOn each member:\n\n```\na\n```"
    assert units(text) == [text]


def test_a_lead_in_stays_with_the_first_item_of_a_list() -> None:
    assert units("These:\n\n- one\n- two\n") == ["These:\n\n- one", "- two"]


def test_an_item_stays_with_its_code_and_paragraphs_but_nested_items_do_not() -> None:
    text = "- a b\n\n  ```\n  c\n  ```\n\n  d e. f.\n  - g\n- h\n"
    assert units(text) == ["- a b\n\n  ```\n  c\n  ```\n\n  d e. f.", "- g", "- h"]


def test_a_list_of_steps_is_one_unit_if_it_fits() -> None:
    text = "1. a b\n   - c d\n2. e f\n"
    assert units(text, 9) == [text.strip()]  # 9 words
    assert units(text, 8) == ["1. a b", "- c d", "2. e f"]


def test_an_admonition_is_one_unit_if_it_fits() -> None:
    for text in (
        ":::note\n\nOne a. Two b.\n\n- c\n\n:::",
        "{{% alert %}}\nOne a. Two b.\n{{% /alert %}}",
        "!!! note\n    One a. Two b.\n\n    c",
        "> [!NOTE]\n> One a. Two b.\n>\n> c",
        '<aside class="x">\n\nOne a. Two b.\n\n</aside>',
    ):
        assert units(f"Before.\n\n{text}\n\nAfter.\n") == ["Before.", text, "After."]


def test_a_directive_is_one_unit_with_its_body() -> None:
    for text in (".. note::\n\n   One a. Two b.\n\n   - c", ".. code-block:: sh\n\n   a\n\n     b"):
        assert units(f"Before.\n\n{text}\n\nAfter.\n", parser=PLAIN) == ["Before.", text, "After."]


def test_marks_of_an_admonition_that_does_not_fit_stay_with_its_first_and_last_part() -> None:
    text = ":::note\n\nOne a b.\n\nTwo c d.\n\nThree e f.\n\n:::\n"
    assert units(text, 4) == [":::note\n\nOne a b.", "Two c d.", "Three e f.\n\n:::"]


def test_emphasis_is_not_divided_between_sentences() -> None:
    assert units("Do **this a. And that** b. End c.") == ["Do **this a. And that** b.", "End c."]


def test_a_fence_is_cut_at_lines_with_its_marks_on_both_sides() -> None:
    text = "```sh\na b\n    c d\n\n    e f\ng h\n```\n"
    assert units(text, 6) == ["```sh\na b\n    c d\n```", "```sh\n    e f\ng h\n```"]
    found = sentences(text, 6)
    assert [text[one.start : one.end] for one in found] == ["```sh\na b\n    c d", "    e f\ng h\n```"]


def test_each_line_of_a_fence_can_be_a_part() -> None:
    assert units("```\na\nb\nc\n```", 4) == ["```\na\n```", "```\nb\nc\n```"]
    assert units("```\na a\nb b\nc c\n```", 5) == ["```\na a\n```", "```\nb b\n```", "```\nc c\n```"]


def test_a_fence_in_an_item_or_a_quote_keeps_its_prefix() -> None:
    assert units("- x\n\n  ```\n  a\n  b\n  ```\n", 5)[1:] == ["  ```\n  b\n  ```"]
    assert units("> ```\n> a b\n> c d\n> ```\n", 8) == ["> ```\n> a b\n> ```", "> ```\n> c d\n> ```"]


def test_a_fence_that_is_never_closed_is_closed_in_every_part_and_ends_its_unit() -> None:
    assert units("```\na\nb\nc", 4) == ["```\na\n```", "```\nb\nc\n```"]
    assert units("```\na") == ["```\na\n```"]
    assert units("1. x\n   ```\n   a\n\ny\n") == ["1. x\n   ```\n   a\n   ```", "y"]


def test_a_table_is_cut_at_rows_with_its_header() -> None:
    head = "| a | b |\n|---|---|"
    rows = [f"| {number} | x |" for number in range(4)]
    assert units("\n".join([head, *rows]), 16) == [
        "\n".join([head, *rows[:2]]),
        "\n".join([head, *rows[2:]]),
    ]


def test_tables_of_restructured_text_are_cut_with_their_header() -> None:
    head = "== ==\na  b\n== =="
    simple = f"{head}\n1  2\n3  4\n5  6\n7  8\n== =="
    assert units(simple, 12, PLAIN) == [f"{head}\n1  2\n3  4", f"{head}\n5  6\n7  8\n== =="]
    grid = "+--+\n|a |\n+==+\n|1 |\n+--+\n|2 |\n+--+"
    assert units(grid, 8, PLAIN) == ["+--+\n|a |\n+==+\n|1 |\n+--+", "+--+\n|a |\n+==+\n|2 |\n+--+"]


def test_lines_that_fill_more_than_half_a_chunk_are_not_repeated() -> None:
    table = "| a b c d |\n|---|\n| 1 |\n| 2 |\n"
    assert units(table, 12) == ["| a b c d |\n|---|\n| 1 |", "| 2 |"]
    fence = "```sh a b c d e\nf g\nh i\n```\n"
    assert units(fence, 9) == ["```sh a b c d e\nf g\n```", "```\nh i\n```"]


def test_code_without_marks_is_not_cut_after_a_colon() -> None:
    assert units("    a b\n    c:\n    d e\n    f g\n", 5) == ["    a b\n    c:\n    d e", "    f g"]


def test_what_a_lead_in_introduces_is_cut_so_that_both_fit() -> None:
    text = "Run these three:\n\n```\na\nb\nc\nd\n```\n"
    # 3 words, and 6 of the fence
    assert units(text, 9) == [text.strip()]
    assert units(text, 8) == ["Run these three:\n\n```\na\nb\n```", "```\nc\nd\n```"]


def test_a_long_lead_in_is_cut_so_that_its_end_stays_with_what_follows() -> None:
    text = "one two three four five six seven eight:\n\n```\na\n```\n"
    assert units(text, 8) == ["one two three four", "five six seven eight:\n\n```\na\n```"]


def test_a_chain_of_lead_ins_that_does_not_fit_ends_inside_one_of_them() -> None:
    text = "a b c:\n\nd e f:\n\ng h i:\n\nj"
    found = units(text, 6)
    assert " ".join(" ".join(found).split()) == " ".join(text.split())
    assert all(size <= 6 for size in words(found))
    assert not any(unit.endswith(":") for unit in found)


def test_a_heading_is_a_unit_of_its_own_but_leaves_room_for_itself() -> None:
    text = "## a b\n\n```\nc\nd\ne\nf\n```\n"
    assert units(text, 9) == ["## a b", "```\nc\nd\ne\nf\n```"]  # 3 + 6 words
    assert units(text, 8) == ["## a b", "```\nc\nd\n```", "```\ne\nf\n```"]


def test_a_heading_of_more_than_half_a_chunk_does_not_make_the_text_below_it_smaller() -> None:
    assert units("## a b c d\n\none two three four five six.\n", 8)[1:] == ["one two three four five six."]


def test_a_list_of_steps_that_does_not_fit_below_its_lead_in_loses_only_its_later_steps() -> None:
    text = "Do this:\n\n1. a b\n2. c d\n3. e f\n"
    assert units(text, 10) == ["Do this:\n\n1. a b", "2. c d", "3. e f"]


def test_the_embedder_reads_the_header_of_a_table_part_without_its_border() -> None:
    text = "| a |\n|-----------------|\n| 1 |\n| 2 |\n"
    asked: list[str] = []

    def reads(texts: Sequence[str]) -> list[bool]:
        asked.extend(texts)
        return [len(one) <= 32 for one in texts]

    found = cut_sentences(text, MARKDOWN.parse(text), FakeSentenceSplitter().split, reads, words, 99)
    assert text[found[-1].start : found[-1].end] == "| 2 |"
    assert "| a |\n| 2 |" in asked


BONDS = st.sampled_from([LOOSE, 1, 2, 1000, 1001])


@given(st.lists(st.tuples(st.integers(1, 9), BONDS), min_size=1, max_size=12), st.integers(10, 20))
def test_units_hold_every_piece_in_order_and_fit(made: list[tuple[int, int]], most: int) -> None:
    text = ". ".join(" ".join("w" * size) for size, _ in made)
    pieces, at = [], 0
    for size, bond in made:
        block = Block("paragraph", at, at + 2 * size - 1)
        pieces.append(Piece(start=at, end=block.end, block=block, bond=bond))
        at = block.end + 2
    cutter = PieceCutter(text, words, read, most)
    found = list(UnitDivider(cutter).units(pieces))
    ends = [(piece.start, piece.end) for unit in found for piece in unit]
    assert "".join(text[start:end] for start, end in ends).count("w") == text.count("w")
    assert ends == sorted(ends)
    assert all(words([cutter.framed(unit)])[0] <= most for unit in found)
    assert all(unit[-1].bond <= 1000 for unit in found[:-1])
