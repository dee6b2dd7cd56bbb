"""Chunks -> the exact text a model is sent."""

from collections.abc import Callable, Sequence
from itertools import pairwise

from contextsvc.records.documents import Chunk

SEPARATOR = "\n\n"


def render_units(chunks: Sequence[Chunk]) -> list[str]:
    """One piece of text a chunk, whose concatenation is the pack: `[number] label`, text, blank line.

    Numbers run from 1. The last piece has no blank line. No clock and no random id: equal chunks
    give equal bytes.
    """
    pieces = [
        f"[{number}] {label(chunk)}".rstrip() + f"\n{chunk.text}" for number, chunk in enumerate(chunks, 1)
    ]
    return [piece + SEPARATOR for piece in pieces[:-1]] + pieces[-1:]


def render(chunks: Sequence[Chunk]) -> str:
    """The text of a pack of these chunks: their units, one after another."""
    return "".join(render_units(chunks))


def reader_unit(chunk: Chunk) -> str:
    """A chunk as a reader of a measurement reads it: as in the pack, without its number.

    A number would make the same chunk another text in every pack, and a removed one would leave a
    gap that tells of it.
    """
    return f"{label(chunk)}\n{chunk.text}".strip() + SEPARATOR


def label(chunk: Chunk) -> str:
    """Title and headings above the chunk, without those that its first line says anyway.

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
    """Tokens each unit adds to the text; they add up to the tokens of the whole text, exactly.

    Those of the units by themselves, which add up where no token reaches across a seam; else counted on
    growing prefixes.

    Args:
        units: As `render_units` gives them.
        num_tokens: Of the whole text.
        count: Tokens of each text.
    """
    alone = count(units)
    if sum(alone) == num_tokens:
        return alone
    prefixes = ["".join(units[:number]) for number in range(1, len(units) + 1)]
    return [after - before for before, after in pairwise([0, *count(prefixes)])]
