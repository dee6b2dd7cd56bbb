"""The table of lines of a text, from which every block parser takes its offsets."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_LINE_END = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a text, without the spaces around it.

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
    for stop, after in [*(match.span() for match in _LINE_END.finditer(text)), (len(text), 0)]:
        raw = text[at:stop]
        tail = raw.lstrip()
        words = tail.rstrip()
        lead = len(raw) - len(tail)
        start = at + lead
        indent = len(raw[:lead].expandtabs(8)) if lead else 0
        lines.append(Line(at, start, start + len(words), indent, words))
        at = after
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
