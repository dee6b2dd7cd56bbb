"""Implement `ports.BlockParser` for Markdown with the library markdown-it-py."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Literal, NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token

from contextsvc.adapters.text.containers import MAX_DEPTH, Container, containers_of_lines
from contextsvc.adapters.text.lines import Line, find_lines
from contextsvc.adapters.text.paired_marks import (
    BODY_INDENT,
    INDENTING,
    PAIRING,
    body_end,
    edge_of,
    paired_lines,
    paired_tags,
)
from contextsvc.records.documents import Block, BlockKind
from contextsvc.records.spans import NO_SPAN, Span

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
_CONTAINERS: dict[str, Literal["list", "item", "box"]] = {
    "ordered_list_open": "list",
    "list_item_open": "item",
    "blockquote_open": "box",
    "html_block": "box",
}
_FENCE = re.compile(r"`{3,}(?=[^`]*$)|~{3,}")
_BY_LINES = {"code", "table"}
_READ = _KINDS.keys() | _CONTAINERS.keys()
_HTML_KINDS: tuple[tuple[BlockKind, re.Pattern[str], re.Pattern[str]], ...] = (
    (
        "table",
        # The first row, if it has header cells. No part of the pattern can match in two ways.
        re.compile(r"(?is)<table\b(?:(?!</tr>|<th\b).)*+<th\b(?:(?!</tr>).)*+</tr>(?:\s*</thead>)?"),
        re.compile(r"(?i)</table>\Z"),
    ),
    (
        "code",
        re.compile(r"(?i)<pre\b[^>]*>(?:\s*<code\b[^>]*>)?"),
        re.compile(r"(?i)(?:</code>\s*)?</pre>\Z"),
    ),
)
"""Kind of an HTML block by the markup at its beginning, which is repeated, and the markup at its end."""


class _Leaf(NamedTuple):
    """Lines of one block.

    Attributes:
        kind: Kind of the block.
        first: Number of the first line.
        end: Number one past the last line.
        level: Level of a heading, else 0.
        source: What the block is in Markdown, a type of token of the library.
        fence: Marks that open a code fence, else "".
    """

    kind: BlockKind
    first: int
    end: int
    level: int = 0
    source: str = ""
    fence: str = ""


class MarkdownItBlockParser:
    """A `ports.BlockParser` for CommonMark with tables.

    The first paragraph of a list item is a block of the kind `list_item`. The other parts of an item are
    blocks of their own kinds within the item. An item nested in another item is not within the outer item.
    Block quotes, HTML blocks and what stands between paired marks (`paired_marks`) are containers, too.
    Headings inside a list item or a block quote, link definitions and text nested deeper than the parser's
    limit (20) are paragraphs.

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
        leaves, containers = self._read(text, lines)
        # Each line's owner: the number of its leaf from 1, or 0 without a leaf. Markdown blocks consist of
        # whole lines, and the parser counts lines as `find_lines` does. A part of a leaf comes after the
        # leaf, so its number overwrites that of the whole.
        owners = [0] * len(lines)
        for number, leaf in enumerate(leaves, start=1):
            owners[leaf.first : leaf.end] = [number] * (min(leaf.end, len(lines)) - leaf.first)
        if any(mark in text for mark in PAIRING):
            is_code = [False, *(leaf.kind == "code" for leaf in leaves)]
            pairs = paired_lines(lines, lambda number: not is_code[owners[number]])
            containers += [Container("box", *pair) for pair in pairs]
        paths = containers_of_lines(len(lines), containers)
        blocks = list(_blocks(text, lines, owners, paths, leaves))
        return _with_quote_marks(text, blocks) if ">" in text else blocks

    def _read(
        self, text: str, lines: Sequence[Line], at: int = 0, depth: int = 0
    ) -> tuple[list[_Leaf], list[Container]]:
        """Return the leaves and containers of a text, in the order in which they begin.

        Args:
            text: The text, which may be the body of an admonition without its indent.
            lines: Lines of the document.
            at: Number of the line of the document in which the text begins.
            depth: Number of admonitions around the text.
        """
        leaves, containers = _walk(self._markdown.parse(text), at)
        html = [leaf for leaf in leaves if leaf.source == "html_block"]
        pairs = paired_tags([" ".join(line.words for line in lines[leaf.first : leaf.end]) for leaf in html])
        containers += [Container("box", html[first].first, html[last].end) for first, last in pairs]
        others = [
            leaf for leaf in leaves if leaf.kind in ("paragraph", "list_item", "code") and not leaf.fence
        ]
        leaves += [fence for leaf in others for fence in _fences_in(lines, leaf)]
        if depth < MAX_DEPTH and any(mark in text for mark in INDENTING):
            texts = [leaf for leaf in leaves if leaf.source in ("paragraph_open", "heading_open")]
            done = at
            for number in (number for leaf in texts for number in range(leaf.first, leaf.end)):
                end = body_end(lines, number) if number >= done else number
                if end > number + 1:
                    done = end
                    body = self._read(_unindented(lines, number, end), lines, number + 1, depth + 1)
                    leaves += [_Leaf(kind="paragraph", first=number + 1, end=end), *body[0]]
                    containers += [Container("box", number, end), *body[1]]
        return leaves, containers


def _walk(tokens: Sequence[Token], at: int) -> tuple[list[_Leaf], list[Container]]:
    """Return the leaves and containers of the library's tokens. Line numbers are counted from `at`."""
    leaves: list[_Leaf] = []
    containers: list[Container] = []
    item_line = -1
    for token in tokens:
        if token.map is None or token.type not in _READ:
            continue
        first, end = token.map[0] + at, token.map[1] + at
        if token.type in _CONTAINERS:
            containers.append(Container(_CONTAINERS[token.type], first, end))
        if token.type in _KINDS:
            kind = _KINDS[token.type]
            if token.type in ("heading_open", "paragraph_open") and token.level > 0:
                kind = "list_item" if first == item_line else "paragraph"
            if token.type != "blockquote_open":
                item_line = first if token.type == "list_item_open" else -1
            level = int(token.tag[1]) if kind == "heading" else 0
            fence = token.markup if token.type == "fence" else ""
            leaves.append(_Leaf(kind=kind, first=first, end=end, level=level, source=token.type, fence=fence))
    return leaves, containers


def _fences_in(lines: Sequence[Line], leaf: _Leaf) -> Iterator[_Leaf]:
    """Yield the closed code fences in a block that is no fence.

    Markdown knows no fence in HTML, and none that is indented by four columns or more, but authors mean one.
    """
    fence, first = "", 0
    for number in range(leaf.first, min(leaf.end, len(lines))):
        words = lines[number].words
        if "```" not in words and "~~~" not in words:
            continue
        words = words.lstrip("> \t")
        if fence and words.startswith(fence) and not words.strip(fence[0]):
            yield _Leaf(kind="code", first=first, end=number + 1, source="fence", fence=fence)
            fence = ""
        elif not fence and (found := _FENCE.match(words)):
            fence, first = found[0], number


def _unindented(lines: Sequence[Line], number: int, end: int) -> str:
    """Return the lines under the mark of an admonition, up to line `end`, without their common indent."""
    indent = lines[number].indent + BODY_INDENT
    return "\n".join(" " * (line.indent - indent) + line.words for line in lines[number + 1 : end])


def _blocks(
    text: str,
    lines: Sequence[Line],
    owners: Sequence[int],
    paths: Sequence[tuple[int, ...]],
    leaves: Sequence[_Leaf],
) -> Iterator[Block]:
    """Yield one block for each run of lines with the same owner and the same containers, in order."""
    # The -1 separates runs of lines that have no owner.
    keys = [
        (owner or (0 if line.words else -1), path)
        for owner, line, path in zip(owners, lines, paths, strict=True)
    ]
    for (owner, path), run in groupby(range(len(lines)), key=keys.__getitem__):
        worded = [number for number in run if lines[number].words]
        if not worded:
            continue
        first, last = lines[worded[0]], lines[worded[-1]]
        leaf = leaves[owner - 1] if owner > 0 else None
        if leaf is None or leaf.first != worded[0]:
            # The rest of a leaf that another leaf interrupts, or text that belongs to no leaf.
            yield Block("paragraph", first.start, last.end, within=path)
        elif leaf.source == "html_block":
            yield _html_block(text, first, last, path)
        elif leaf.kind == "code":
            opening, closing = _fence_lines(text, first, last, leaf.fence)
            yield Block("code", first.begin, last.end, within=path, opening=opening, closing=closing)
        elif leaf.kind == "table":
            opening = (first.begin, lines[leaf.first + 1].end)
            yield Block("table", first.begin, last.end, within=path, opening=opening)
        else:
            edge = edge_of(text[first.start : last.end]) if leaf.kind == "paragraph" else ""
            yield Block(leaf.kind, first.start, last.end, leaf.level, within=path, edge=edge)


def _fence_lines(text: str, first: Line, last: Line, fence: str) -> tuple[Span, Span]:
    """Return the spans of the opening and closing line of a code fence, or (0, 0) for code without marks."""
    if not fence:
        return NO_SPAN, NO_SPAN
    opening = (first.begin, first.end)
    end = last.words.lstrip("> \t")
    if last.begin > first.begin and end.startswith(fence) and not end.strip(fence[0]):
        return opening, (last.begin, last.end)
    at = text.index(fence, first.begin)
    # The indent of the marks is repeated, too, but not the mark of a list item on the same line.
    begin = at if text[first.begin : at].strip("> \t") else first.begin
    return opening, (begin, at + len(fence))


def _html_block(text: str, first: Line, last: Line, path: tuple[int, ...]) -> Block:
    markup = text[first.start : last.end]
    for kind, head, tail in _HTML_KINDS:
        if opened := head.match(markup):
            closed = tail.search(markup, opened.end())
            return Block(
                kind,
                first.begin,
                last.end,
                within=path,
                opening=(first.begin, first.start + opened.end()),
                closing=(first.start + closed.start(), last.end) if closed else NO_SPAN,
            )
    return Block("paragraph", first.start, last.end, within=path, edge=edge_of(markup))


def _with_quote_marks(text: str, blocks: Sequence[Block]) -> list[Block]:
    """Join the blank lines of a block quote, which hold only its mark, with the text beside them."""
    found: list[Block] = []
    for block in blocks:
        before = found[-1] if found else None
        marks = [one for one in (before, block) if one and _is_marks(text, one)]
        if before and marks and before.within == block.within and not {before.kind, block.kind} & _BY_LINES:
            joined, start, end = before if marks[-1] is block else block, before.start, block.end
            found[-1] = replace(joined, start=start, end=end)
        else:
            found.append(block)
    return found


def _is_marks(text: str, block: Block) -> bool:
    return text[block.start] == ">" and not text[block.start : block.end].strip("> \t\r\n")
