"""Find tables in plain text: grid tables and simple tables of reStructuredText, and tables of Markdown.

Sources: https://docutils.sourceforge.io/docs/ref/rst/restructuredtext.html#tables,
https://github.github.com/gfm/#tables-extension-
"""

import re
from collections.abc import Sequence

from contextsvc.adapters.text.lines import Line

_GRID_BORDER = re.compile(r"\+(?:[-=]+\+)+")
_GRID_HEADER_END = re.compile(r"\+(?:=+\+)+")
_SIMPLE_BORDER = re.compile(r"=+(?: +=+)+")
_PIPE_DELIMITER = re.compile(r"\|?(?:\s*:?-+:?\s*\|)+(?:\s*:?-+:?\s*)?")


def is_grid_border(words: str) -> bool:
    """Return whether a line is the border of a grid table, such as +---+---+."""
    return bool(_GRID_BORDER.fullmatch(words))


def table_ends(lines: Sequence[Line]) -> list[int]:
    """Return for each line the number one past the last line of the table that starts there, or 0.

    A simple table ends at a border before a blank line. One backward pass finds all ends, because a search
    from every border would take quadratic time in a file full of borders.
    """
    ends = [0] * len(lines)
    simple_end = grid_end = pipe_end = 0
    for number in range(len(lines) - 1, -1, -1):
        words = lines[number].words
        last = number + 1 == len(lines)
        # Where the lines end that begin with + or |, and those that begin with |; 0 if this is no such line.
        grid_end = (grid_end or number + 1) if words[:1] in ("+", "|") else 0
        pipe_end = (pipe_end or number + 1) if words[:1] == "|" else 0
        if _GRID_BORDER.fullmatch(words):
            ends[number] = grid_end
        elif _SIMPLE_BORDER.fullmatch(words):
            ends[number] = simple_end
            if last or not lines[number + 1].words:
                simple_end = number + 1
        elif words[:1] == "|" and not last and _PIPE_DELIMITER.fullmatch(lines[number + 1].words):
            ends[number] = max(pipe_end, number + 2)
    return ends


def header_end(lines: Sequence[Line], first: int, end: int) -> int:
    """Return the number one past the last header line of a table, its border included; 0 without a header.

    Args:
        lines: Lines of the text.
        first: Number of the table's first line.
        end: Number one past the table's last line.
    """
    words = [line.words for line in lines[first:end]]
    if _GRID_BORDER.fullmatch(words[0]):
        borders = [number for number, line in enumerate(words) if _GRID_HEADER_END.fullmatch(line)]
        return first + borders[0] + 1 if borders else 0
    if _SIMPLE_BORDER.fullmatch(words[0]):
        borders = [number for number, line in enumerate(words) if _SIMPLE_BORDER.fullmatch(line)]
        return first + borders[1] + 1 if len(borders) > 2 else 0
    return first + 2
