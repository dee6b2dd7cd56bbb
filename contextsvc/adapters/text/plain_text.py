"""Parse plain text and reStructuredText into blocks, and build the table of lines for every block parser."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from contextsvc.records.documents import Block, BlockKind

_LINE_END = re.compile(r"\r\n|\r|\n")
_ADORNMENT = re.compile(r"([=\-*^~\"#])\1*")
_BULLET = re.compile(r"[-*+•‣⁃]\s+(?=\S)")
_ITEM = re.compile(r"(?:[-*+•‣⁃]|\d{1,3}[.)]|\(\d{1,3}\)|\(?[a-z]\)|#\.)\s+(?=\S)")
_GRID_BORDER = re.compile(r"\+(?:[-=]+\+)+")
_SIMPLE_BORDER = re.compile(r"=+(?: +=+)+")
_DIRECTIVE = re.compile(r"\.\. +([\w:.-]+?)::(?:\s|$)")
_CODE_DIRECTIVE = re.compile(
    r"code|code-block|sourcecode|parsed-literal|math|doctest|testcode|testoutput|productionlist|prompt|ipython"
)
_CODE_INDENT = 3
_QUOTED = re.compile(r"``[^`]+``|`[^`]+`|\"[^\"]*\"")
_WORD = re.compile(r"[(\[“‘'*]*[^\W\d_][\w’'/-]*[)\]”’'*.,;:!?]*|[-–—]|w")
_CODE_MARK = re.compile(r"\w\(|[=;{}$|@\\<>]|::")
_COMMENT = re.compile(r"\s\s#\s")
_JUDGED_LINES, _JUDGED_CHARS = 20, 500


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a text, without the spaces around it.

    Attributes:
        start: Offset of the first non-space character; equal to `end` on a blank line.
        end: Offset after the last non-space character.
        indent: Number of columns before `start`, with tab stops every 8; it has no meaning on a blank line.
        words: The text of the line, `text[start:end]`.
    """

    start: int
    end: int
    indent: int
    words: str


@dataclass(frozen=True, slots=True)
class _Before:
    """Context of the next block: the indent of the block before it, and what the block before announces."""

    indent: int = 0
    announces: Literal["literal", "prose", "any"] = "any"


def find_lines(text: str) -> list[Line]:
    """Return the lines of a text in order, blank lines included. Only \\n, \\r\\n and a lone \\r end a line.

    Rejected: `str.splitlines`, which also splits at form feeds and U+2028, unlike Markdown.
    """
    lines: list[Line] = []
    at = 0
    for stop, after in [*((m.start(), m.end()) for m in _LINE_END.finditer(text)), (len(text), 0)]:
        raw = text[at:stop]
        tail = raw.lstrip()
        words = tail.rstrip()
        lead = len(raw) - len(tail)
        lines.append(Line(at + lead, at + lead + len(words), len(raw[:lead].expandtabs(8)), words))
        at = after
    return lines


class PlainBlockParser:
    """A `ports.BlockParser` for plain text, reStructuredText and Sphinx text output."""

    def parse(self, text: str) -> list[Block]:
        """Return the blocks of a text; see `parse_plain`."""
        return parse_plain(text)


def parse_plain(text: str) -> list[Block]:
    """Return the blocks of plain text or reStructuredText, in order; see `ports.BlockParser.parse`.

    - heading: a title with an underline, and optionally also an overline. Both consist of one repeated
      character of = - * ^ ~ " # and are at least as long as the title. Levels are numbered in order of first
      appearance, up to 6.
    - code: one of three. First, lines indented under a paragraph that ends in `::` or under a code directive.
      Second, a doctest (`>>>`) up to a blank line. Third, lines that are indented by at least 3 columns more
      than the block above and do not look like prose. The third rule is a heuristic of this package, because
      Sphinx text output indents both code and descriptions of methods.
    - list_item: a bullet or number with the lines indented under it, up to a blank line. Text after the blank
      line is a block of its own.
    - table: a reStructuredText grid table or simple table.
    - paragraph: everything else, up to a blank line.

    Source: https://docutils.sourceforge.io/docs/ref/rst/restructuredtext.html
    """
    lines = find_lines(text)
    table_ends = _simple_table_ends(lines)
    levels: dict[tuple[str, bool], int] = {}
    blocks: list[Block] = []
    before = _Before()
    at = 0
    while at < len(lines):
        if not lines[at].words:
            at += 1
            continue
        kind, end = _block_at(lines, at, before, table_ends)
        level = _level(lines, at, levels) if kind == "heading" else 0
        blocks.append(Block(kind, lines[at].start, lines[end - 1].end, level))
        before = _before_next(lines, at, end, kind, before)
        at = end
    return blocks


def _block_at(
    lines: Sequence[Line], at: int, before: _Before, table_ends: Sequence[int]
) -> tuple[BlockKind, int]:
    line = lines[at]
    if before.announces == "literal" and line.indent > before.indent:
        return "code", _indented_end(lines, at, before.indent + 1)
    if _GRID_BORDER.fullmatch(line.words):
        return "table", _grid_end(lines, at)
    if _SIMPLE_BORDER.fullmatch(line.words) and table_ends[at]:
        return "table", table_ends[at]
    if height := _heading_height(lines, at):
        return "heading", at + height
    if _ITEM.match(line.words):
        return "list_item", _item_end(lines, at)
    if before.announces == "any" and line.indent >= before.indent + _CODE_INDENT:
        end = _indented_paragraph_end(lines, at, line.indent)
        if not _is_prose(lines[at:end]):
            return "code", _code_end(lines, at, end)
    if line.words.startswith(">>> "):
        return "code", _indented_paragraph_end(lines, at, 0)
    return "paragraph", _paragraph_end(lines, at)


def _before_next(lines: Sequence[Line], at: int, end: int, kind: BlockKind, before: _Before) -> _Before:
    """Return the context that a block sets for the next block."""
    if kind == "heading":
        return _Before()
    if kind in ("code", "table"):
        return _Before(before.indent)
    first, last = lines[at], lines[end - 1]
    item = _ITEM.match(first.words) if kind == "list_item" else None
    indent = first.indent + (item.end() if item else 0)
    if directive := _DIRECTIVE.match(first.words):
        return _Before(indent, "literal" if _CODE_DIRECTIVE.fullmatch(directive[1]) else "prose")
    return _Before(indent, "literal" if last.words.endswith("::") else "any")


def _heading_height(lines: Sequence[Line], at: int) -> int:
    """Return the number of lines of the heading that starts at line `at`.

    The number is 3 with an overline, 2 without, and 0 if no heading starts there.
    """
    first, second, third = (lines[i].words if i < len(lines) else "" for i in (at, at + 1, at + 2))
    if _ADORNMENT.fullmatch(first):
        fits = len(second) <= len(first) == len(third)
        return 3 if fits and first == third and _is_title(second) else 0
    flush = lines[at].indent == 0 and at + 1 < len(lines) and lines[at + 1].indent == 0
    underlined = flush and _ADORNMENT.fullmatch(second) and len(second) >= len(first)
    return 2 if underlined and _is_title(first) and not _BULLET.match(first) else 0


def _is_title(words: str) -> bool:
    return any(c.isalnum() for c in words)


def _level(lines: Sequence[Line], at: int, levels: dict[tuple[str, bool], int]) -> int:
    overlined = _heading_height(lines, at) == 3
    style = (lines[at + 1].words[0] if not overlined else lines[at].words[0], overlined)
    return levels.setdefault(style, min(len(levels) + 1, 6))


def _item_end(lines: Sequence[Line], at: int) -> int:
    end = at + 1
    while end < len(lines) and lines[end].words and lines[end].indent > lines[at].indent:
        if _ITEM.match(lines[end].words):
            break
        end += 1
    return end


def _paragraph_end(lines: Sequence[Line], at: int) -> int:
    """Return the number of the line after the paragraph.

    A paragraph ends at a blank line. It also ends after a line with a final colon if a list or an indented
    block follows directly. reStructuredText forbids this form, but authors write it.
    """
    end = at + 1
    while end < len(lines) and lines[end].words:
        line = lines[end]
        if _GRID_BORDER.fullmatch(line.words):
            break
        deeper = line.indent >= lines[at].indent + _CODE_INDENT
        if lines[end - 1].words.endswith(":") and (deeper or _ITEM.match(line.words)):
            break
        end += 1
    return end


def _indented_end(lines: Sequence[Line], at: int, indent: int) -> int:
    """Return the number of the line after the last line with at least this indent.

    Blank lines between lines of that indent are included.
    """
    end = at + 1
    for number in range(at + 1, len(lines)):
        if lines[number].words:
            if lines[number].indent < indent:
                break
            end = number + 1
    return end


def _code_end(lines: Sequence[Line], at: int, end: int) -> int:
    """Return the number of the line after the code. Code ends where its indent ends or where prose begins."""
    indent = min(line.indent for line in lines[at:end])
    start = end
    while True:
        while start < len(lines) and not lines[start].words:
            start += 1
        if start == len(lines) or lines[start].indent < indent:
            return end
        paragraph_end = _indented_paragraph_end(lines, start, indent)
        if lines[start].indent == indent and _is_prose(lines[start:paragraph_end]):
            return end
        start = end = paragraph_end


def _indented_paragraph_end(lines: Sequence[Line], at: int, indent: int) -> int:
    while at < len(lines) and lines[at].words and lines[at].indent >= indent:
        at += 1
    return at


def _grid_end(lines: Sequence[Line], at: int) -> int:
    end = at + 1
    while end < len(lines) and lines[end].words[:1] in ("+", "|"):
        end += 1
    return end


def _simple_table_ends(lines: Sequence[Line]) -> list[int]:
    """Return the end of the simple table that starts at each line, or 0 where none can start.

    A border before a blank line closes the table. One backward pass finds all ends. A search from every
    border would take quadratic time in a file full of borders.
    """
    ends = [0] * len(lines)
    close = 0
    for number in range(len(lines) - 1, -1, -1):
        if lines[number].words and _SIMPLE_BORDER.fullmatch(lines[number].words):
            ends[number] = close
            if number + 1 == len(lines) or not lines[number + 1].words:
                close = number + 1
    return ends


def _is_prose(lines: Sequence[Line]) -> bool:
    """Return whether lines look like sentences rather than code.

    Sentences consist mostly of words and have few characters of program code. Quoted text counts as a word,
    because Sphinx writes inline code in double quotes.
    """
    num_tokens = num_words = num_marks = 0
    for line in lines[:_JUDGED_LINES]:
        plain = _QUOTED.sub("w", line.words[:_JUDGED_CHARS])
        if _COMMENT.search(plain):
            return False
        tokens = plain.split()
        num_tokens += len(tokens)
        num_words += sum(1 for token in tokens if _WORD.fullmatch(token))
        num_marks += len(_CODE_MARK.findall(plain))
    if lines[0].words[0].islower() and lines[-1].words[-1] not in '.!?:;,)”"':
        return False
    return num_words >= 0.6 * num_tokens and num_marks <= 0.15 * num_tokens
