"""Parse plain text and reStructuredText into blocks."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from contextsvc.adapters.text.containers import Container, containers_of_lines
from contextsvc.adapters.text.lines import Line, find_lines, indented_end
from contextsvc.adapters.text.plain_tables import header_end, is_grid_border, table_ends
from contextsvc.records.documents import Block, BlockKind
from contextsvc.records.spans import NO_SPAN

_ADORNMENT = re.compile(r"([=\-*^~\"#])\1*")
_BULLET = re.compile(r"[-*+•‣⁃]\s+(?=\S)")
_ITEM = re.compile(r"(?:[-*+•‣⁃]|\d{1,3}[.)]|\(\d{1,3}\)|\(?[a-z]\)|#\.)\s+(?=\S)")
_FENCE = re.compile(r"(`{3,})[^`]*")
_NUMBER = re.compile(r"(?:\d{1,3}|#)([.)])|(\()\d{1,3}\)|(\(?)[a-z]\)")
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
class _Before:
    """Context of the next block: the indent of the block before it, and what the block before announces."""

    indent: int = 0
    announces: Literal["literal", "prose", "any"] = "any"


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
    - code: one of four. First, lines indented under a paragraph that ends in `::` or under a code directive.
      Second, a doctest (`>>>`) up to a blank line. Third, lines between two lines of three backticks, as in
      Markdown. Fourth, lines that are indented by at least 3 columns more than the block above and do not
      look like prose. The fourth rule is a heuristic of this package, because Sphinx text output indents both
      code and descriptions of methods.
    - list_item: a bullet or number with the lines indented under it, up to a blank line. Text after the blank
      line is a block of its own.
    - table: a reStructuredText grid table or simple table, or a table of Markdown.
    - paragraph: everything else, up to a blank line.

    Containers are ordered lists, list items with all that is indented under them, and directives and other
    explicit markup (`.. name::`) with what is indented under it.

    Source: https://docutils.sourceforge.io/docs/ref/rst/restructuredtext.html
    """
    lines = find_lines(text)
    ends = _Ends(table_ends(lines), _fence_ends(lines))
    levels: dict[tuple[str, bool], int] = {}
    found: list[tuple[BlockKind, int, int, int]] = []
    before = _Before()
    at = 0
    while at < len(lines):
        if not lines[at].words:
            at += 1
            continue
        kind, end = _block_at(lines, at, before, ends)
        found.append((kind, at, end, _level(lines, at, levels) if kind == "heading" else 0))
        before = _before_next(lines, at, end, kind, before)
        at = end
    containers = _containers(lines, [(kind, first) for kind, first, _, _ in found])
    paths = containers_of_lines(len(lines), containers)
    return [_block(lines, kind, first, end, level, paths[first]) for kind, first, end, level in found]


@dataclass(frozen=True, slots=True)
class _Ends:
    """For each line, the number one past the last line of what starts there, or 0 if it does not start."""

    tables: Sequence[int]
    fences: Sequence[int]


def _block(
    lines: Sequence[Line], kind: BlockKind, first: int, end: int, level: int, path: tuple[int, ...]
) -> Block:
    if kind not in ("code", "table"):
        is_markup = kind == "paragraph" and lines[first].words.startswith(".. ")
        edge: Literal["", "first"] = "first" if is_markup else ""
        return Block(kind, lines[first].start, lines[end - 1].end, level, within=path, edge=edge)
    opening = closing = NO_SPAN
    if kind == "table" and (last := header_end(lines, first, end)):
        opening = (lines[first].begin, lines[last - 1].end)
    elif kind == "code" and _FENCE.fullmatch(lines[first].words):
        opening = (lines[first].begin, lines[first].end)
        closing = (lines[end - 1].begin, lines[end - 1].end)
    return Block(kind, lines[first].begin, lines[end - 1].end, within=path, opening=opening, closing=closing)


def _containers(lines: Sequence[Line], blocks: Sequence[tuple[BlockKind, int]]) -> list[Container]:
    """Return the containers of a text, given the kind and the first line of each block."""
    found: list[Container] = []
    lists: list[Container] = []
    # Ordered lists that may go on: indent, style of the numbers, first line, end of the last item.
    begun: list[tuple[int, str, int, int]] = []

    def close_lists(at: int, goes_on: tuple[int, str] | None) -> None:
        while begun and at >= begun[-1][3] and begun[-1][:2] != goes_on:
            lists.append(Container("list", *begun.pop()[2:]))

    for kind, at in blocks:
        words, indent = lines[at].words, lines[at].indent
        number = _NUMBER.match(words) if kind == "list_item" else None
        style = (indent, "".join(mark or "" for mark in number.groups())) if number else None
        close_lists(at, style)
        if kind == "list_item":
            end = max(at + 1, indented_end(lines, at, indent + 1))
            found.append(Container("item", at, end))
            if style:
                goes_on = begun and begun[-1][:2] == style and at >= begun[-1][3]
                begun.append((*style, begun.pop()[2] if goes_on else at, end))
        elif kind == "paragraph" and words.startswith(".. "):
            found.append(Container("box", at, indented_end(lines, at, indent + 1)))
    close_lists(len(lines), None)
    return [*lists, *found]


def _block_at(lines: Sequence[Line], at: int, before: _Before, ends: _Ends) -> tuple[BlockKind, int]:
    line = lines[at]
    if before.announces == "literal" and line.indent > before.indent:
        return "code", indented_end(lines, at, before.indent + 1)
    if ends.tables[at]:
        return "table", ends.tables[at]
    if ends.fences[at]:
        return "code", ends.fences[at]
    if height := _heading_height(lines, at):
        return "heading", at + height
    if _ITEM.match(line.words):
        return "list_item", _item_end(lines, at, ends)
    if before.announces == "any" and line.indent >= before.indent + _CODE_INDENT:
        end = _indented_paragraph_end(lines, at, line.indent)
        if not _is_prose(lines[at:end]):
            return "code", _code_end(lines, at, end)
    if line.words.startswith(">>> "):
        return "code", _indented_paragraph_end(lines, at, 0)
    return "paragraph", _paragraph_end(lines, at, ends)


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


def _item_end(lines: Sequence[Line], at: int, ends: _Ends) -> int:
    end = at + 1
    while end < len(lines) and lines[end].words and lines[end].indent > lines[at].indent:
        if _ITEM.match(lines[end].words) or ends.fences[end]:
            break
        end += 1
    return end


def _paragraph_end(lines: Sequence[Line], at: int, ends: _Ends) -> int:
    """Return the number of the line after the paragraph.

    A paragraph ends at a blank line. It also ends after a line with a final colon if a list or an indented
    block follows directly. reStructuredText forbids this form, but authors write it.
    """
    end = at + 1
    while end < len(lines) and lines[end].words:
        line = lines[end]
        if is_grid_border(line.words) or ends.fences[end]:
            break
        deeper = line.indent >= lines[at].indent + _CODE_INDENT
        if lines[end - 1].words.endswith(":") and (deeper or _ITEM.match(line.words)):
            break
        end += 1
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


def _fence_ends(lines: Sequence[Line]) -> list[int]:
    """Return the end of the fence of backticks that starts at each line, or 0 where none starts.

    A fence that is never closed is no fence: plain text may hold three backticks for another reason.
    """
    ends = [0] * len(lines)
    opened = -1
    marks = ""
    for number, line in enumerate(lines):
        if opened >= 0 and line.words.startswith(marks) and not line.words.strip("`"):
            ends[opened], opened = number + 1, -1
        elif opened < 0 and (fence := _FENCE.fullmatch(line.words)):
            opened, marks = number, fence[1]
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
