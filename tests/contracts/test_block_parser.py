"""The contract of every BlockParser. There is no fake: both parsers are fast and load nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextsvc.adapters.text.markdown import MarkdownItBlockParser
from contextsvc.adapters.text.plain_text import PlainBlockParser
from contextsvc.ports import BlockParser

PARSERS = pytest.mark.parametrize(
    "parser", [MarkdownItBlockParser(), PlainBlockParser()], ids=lambda p: type(p).__name__
)
PIECES = st.sampled_from(
    ["\n", "\n\n", "\r\n", "\r", "\t", "   ", "    ", "\f", "\x1c", "\u2028", "\x85", "\xa0", "\0",
     "- ", "* ", "1. ", "10) ", "# ", "#", "===", "---", "-", "```", "~~~", "|", "|-|-|", "+---+", "== ==",
     "> ", "::", ":", ".. note::", ".. code-block:: c", "[a]: /u", "<div>", "{{< x >}}", "word", "Two words.",
     "f(x) = {1}", "é", "日本", "\ud800", ":::", ":::note", "!!! note", "{{< /x >}}", "</div>", "> [!NOTE]",
     "|a|b|\n|-|-|\n", "<table>", "<tr><th>a</th></tr>", "<pre>", "+===+"]
)  # fmt: skip
TEXTS = st.lists(PIECES, max_size=40).map("".join) | st.text(max_size=60)


@PARSERS
@given(text=TEXTS)
def test_blocks_cover_every_non_space_character_once_and_in_order(parser: BlockParser, text: str) -> None:
    at = 0
    for block in parser.parse(text):
        assert not text[at : block.start].strip()
        assert at <= block.start < block.end <= len(text)
        if block.kind in ("code", "table"):
            assert block.start == 0 or text[block.start - 1] in "\r\n"
        else:
            assert not text[block.start].isspace()
        assert not text[block.end - 1].isspace()
        for span in (block.opening, block.closing):
            assert span == (0, 0) or block.start <= span[0] < span[1] <= block.end
        assert (block.kind == "heading") == (1 <= block.level <= 6)
        at = block.end
    assert not text[at:].strip()
    assert parser.parse(text) == parser.parse(text)


@PARSERS
@pytest.mark.parametrize("text", ["", " ", "\n\r\n\t \f\u2028\n"])
def test_spaces_alone_give_no_blocks(parser: BlockParser, text: str) -> None:
    assert parser.parse(text) == []


@PARSERS
def test_text_without_structure_is_paragraphs(parser: BlockParser) -> None:
    text = "  One line\r\nand its second.\r\n\r\nAnother. "
    found = [(block.kind, text[block.start : block.end]) for block in parser.parse(text)]
    assert found == [("paragraph", "One line\r\nand its second."), ("paragraph", "Another.")]


@PARSERS
def test_spans_are_exact_in_a_text_both_read_alike(parser: BlockParser) -> None:
    text = "Title\r\n=====\r\n\r\nWords.\r\n\r\n- one\r\n- two\r\n  more\r\n"
    found = [(b.kind, b.start, b.end, b.level) for b in parser.parse(text)]
    assert found == [
        ("heading", 0, 12, 1),
        ("paragraph", 16, 22, 0),
        ("list_item", 26, 31, 0),
        ("list_item", 33, 46, 0),
    ]


@PARSERS
@pytest.mark.parametrize(
    "piece", [">", "- ", "[", "# ", "|", "  - x\n", "+-+\n", "== ==\n", "- a\n\n", "`", "1. "]
)
def test_long_repetition_is_read_to_the_end(parser: BlockParser, piece: str) -> None:
    text = piece * 3000 + "end"
    assert parser.parse(text)[-1].end == len(text)
