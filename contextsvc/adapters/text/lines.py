"""The table of lines of a text, from which every block parser takes its offsets."""

import re
from collections.abc import Sequence
from typing import NamedTuple

_LINE_END = re.compile(r"(\r\n|\r|\n)")


class Line(NamedTuple):
    """A line of a text, without the spaces around it. A tuple, because a document has many lines.

    Attributes:
        begin: Offset of the line's first character, which may be a space.
        start: Offset of the first non-space character; equal to `end` on a blank line.
        end: Offset after the last non-space character.
        indent: Number of columns before `start`, with tab stops every 8; it has no meaning on a blank line.
        words: The text of the line, `text[start:end]`.
    """

    begin: int
    start: int
    end: int
    indent: int
    words: str


def find_lines(text: str) -> list[Line]:
    """Return the lines of a text in order, blank lines included. Only \\n, \\r\\n and a lone \\r end a line.

    Rejected: `str.splitlines`, which also splits at form feeds and U+2028, unlike Markdown.
    """
    lines: list[Line] = []
    at = 0
    # The parts at even places are lines, each followed by its line end.
    parts = [*_LINE_END.split(text), ""]
    for raw, end in zip(parts[::2], parts[1::2], strict=True):
        tail = raw.lstrip()
        words = tail.rstrip()
        lead = len(raw) - len(tail)
        start = at + lead
        indent = len(raw[:lead].expandtabs(8)) if lead else 0
        lines.append(Line(at, start, start + len(words), indent, words))
        at += len(raw) + len(end)
    return lines


def indented_end(lines: Sequence[Line], at: int, indent: int) -> int:
    """Return the number one past the last of the lines after `at` that are indented at least so far.

    Blank lines between such lines are included. Without such a line this is the number of the next line.
    """
    end = at + 1
    for number in range(at + 1, len(lines)):
        if lines[number].words:
            if lines[number].indent < indent:
                break
            end = number + 1
    return end
