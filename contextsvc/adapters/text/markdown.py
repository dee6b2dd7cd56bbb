"""Implement `ports.BlockParser` for Markdown with the library markdown-it-py."""

from collections.abc import Sequence
from itertools import groupby

from markdown_it import MarkdownIt
from markdown_it.token import Token

from contextsvc.adapters.text.plain_text import Line, find_lines
from contextsvc.records.documents import Block, BlockKind

_KINDS: dict[str, BlockKind] = {
    "heading_open": "heading",
    "fence": "code",
    "code_block": "code",
    "table_open": "table",
    "list_item_open": "list_item",
    "paragraph_open": "paragraph",
    "blockquote_open": "paragraph",
    "html_block": "paragraph",
    "hr": "paragraph",
}


class MarkdownItBlockParser:
    """A `ports.BlockParser` for CommonMark with tables.

    A list item is a block. An item nested in another item is a block of its own. If the outer item goes on
    after the nested item, that text is a paragraph. Fences, tables and headings inside a list item or a block
    quote stay part of that item or quote. HTML, link definitions, template shortcodes and text nested deeper
    than the parser's limit (20) are paragraphs.

    Source: CommonMark 0.31.2, https://spec.commonmark.org/; tables as in GitHub Flavored Markdown.
    """

    def __init__(self) -> None:
        # The inline phase is left out: it takes most of the time, and its tokens have no line numbers.
        self._markdown = MarkdownIt("commonmark").enable("table")
        self._markdown.core.ruler.enableOnly(["normalize", "block"])

    def parse(self, text: str) -> list[Block]:
        """Return the blocks of a text; see `ports.BlockParser.parse`.

        The character offsets of a block refer to `text` itself, with its line ends unchanged.
        """
        lines = find_lines(text)
        # Each line's owner: the number of its token, or 0 without a token. Markdown blocks consist of whole
        # lines, and the parser counts lines as `find_lines` does.
        owners = [0] * len(lines)
        tokens = _outer_tokens(self._markdown.parse(text))
        for number, token in enumerate(tokens, start=1):
            first, end = token.map or (0, 0)
            # A nested item comes after the item around it, so its number overwrites that of the outer item.
            owners[first:end] = [number] * (min(end, len(lines)) - first)
        return _blocks(lines, owners, tokens)


def _outer_tokens(tokens: Sequence[Token]) -> list[Token]:
    """Return the tokens that become blocks: the outermost tokens, and list items at any depth of lists."""
    found: list[Token] = []
    num_quotes = 0
    for token in tokens:
        outermost = token.level == 0 or (token.type == "list_item_open" and num_quotes == 0)
        if outermost and token.type in _KINDS:
            found.append(token)
        if token.type in ("blockquote_open", "blockquote_close"):
            num_quotes += token.nesting
    return found


def _blocks(lines: Sequence[Line], owners: Sequence[int], tokens: Sequence[Token]) -> list[Block]:
    """Return one block for each run of lines with the same owner, in order.

    A block reaches from the first to the last non-space character of its run.
    """
    blocks: list[Block] = []
    begun: set[int] = set()
    for owner, run in groupby(enumerate(lines), key=lambda numbered: _group(numbered, owners)):
        worded = [line for _, line in run if line.words]
        if worded:
            kind, level = _kind(tokens[owner - 1]) if owner > 0 and owner not in begun else ("paragraph", 0)
            blocks.append(Block(kind, worded[0].start, worded[-1].end, level))
            begun.add(owner)
    return blocks


def _group(numbered: tuple[int, Line], owners: Sequence[int]) -> int:
    """Return the owner of a line, or -1 for a blank line without owner.

    The -1 separates runs of lines that have no owner.
    """
    number, line = numbered
    return owners[number] or (0 if line.words else -1)


def _kind(token: Token) -> tuple[BlockKind, int]:
    return _KINDS[token.type], int(token.tag[1]) if token.type == "heading_open" else 0
