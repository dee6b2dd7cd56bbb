"""Rendering: chunks become the exact text that a model reads."""

from collections.abc import Callable, Sequence
from itertools import pairwise

from contextsvc.records.documents import Chunk

SEPARATOR = "\n\n"


def render_units(chunks: Sequence[Chunk]) -> list[str]:
    """Text of each chunk in a pack: `[number] label`, text, blank line; joined, they are the pack.

    Numbers run from 1. The last unit has no blank line. Equal chunks give equal bytes.
    """
    pieces = [
        f"[{number}] {label(chunk)}".rstrip() + f"\n{chunk.text}" for number, chunk in enumerate(chunks, 1)
    ]
    return [piece + SEPARATOR for piece in pieces[:-1]] + pieces[-1:]


def render(chunks: Sequence[Chunk]) -> str:
    """Text of a pack of these chunks."""
    return "".join(render_units(chunks))


def reader_unit(chunk: Chunk) -> str:
    """Text of a chunk for the reader of a measurement: as in the pack, but without its number.

    Rejected: numbers, because they change the text of a chunk from pack to pack, and because a missing number
    tells the reader that a chunk was removed.
    """
    return f"{label(chunk)}\n{chunk.text}".strip() + SEPARATOR


def label(chunk: Chunk) -> str:
    """Title and headings above a chunk, without the innermost ones that its first line holds.

    >>> headings = ("Manual", "Backup", "Restore")
    >>> text = "## Restore\\nGo"
    >>> chunk = Chunk(
    ...     doc_id="d", start=0, end=13, text=text, num_tokens=5, title="Manual", section=headings
    ... )
    >>> label(chunk)
    'Manual > Backup'
    """
    first_line = chunk.text.partition("\n")[0]
    parts = [part for part in dict.fromkeys((chunk.title, *chunk.section)) if part]
    while len(parts) > 1 and parts[-1] in first_line:
        parts.pop()
    return " > ".join(parts)


def unit_tokens(
    units: Sequence[str], num_tokens: int, count: Callable[[Sequence[str]], list[int]]
) -> list[int]:
    """Tokens that each unit adds to the text; they add up exactly to the tokens of the whole text.

    The units are counted one by one. Where tokens reach across the end of a unit, growing prefixes of the
    text are counted instead.

    Args:
        units: Units from `render_units`.
        num_tokens: Tokens of the whole text.
        count: Counts the tokens of each text.
    """
    alone = count(units)
    if sum(alone) == num_tokens:
        return alone
    prefixes = ["".join(units[:number]) for number in range(1, len(units) + 1)]
    return [after - before for before, after in pairwise([0, *count(prefixes)])]
