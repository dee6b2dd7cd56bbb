"""Rendering of chunks as the exact text that a language model reads."""

from collections.abc import Callable, Sequence
from itertools import pairwise

from contextsvc.records.documents import Chunk

SEPARATOR = "\n\n"


def render_units(chunks: Sequence[Chunk]) -> list[str]:
    """Return the rendered text of each chunk of a pack. Joined without a separator, they are the pack's text.

    Each text is a line `[number] label`, the text of the chunk and a blank line. Numbers begin at 1. The last
    text has no blank line. Equal chunks give equal bytes.
    """
    pieces = [
        f"[{number}] {label(chunk)}".rstrip() + f"\n{chunk.text}" for number, chunk in enumerate(chunks, 1)
    ]
    return [piece + SEPARATOR for piece in pieces[:-1]] + pieces[-1:]


def render(chunks: Sequence[Chunk]) -> str:
    """Return the text of a pack of these chunks."""
    return "".join(render_units(chunks))


def reader_unit(chunk: Chunk) -> str:
    """Return the text of a chunk for the reader (the language model that measures), without a chunk number.

    Otherwise the text is the same as in the pack. Rejected: chunk numbers, because they change the text of a
    chunk from pack to pack, and because a missing number tells the reader that a chunk was removed.
    """
    # The first line of code keeps its indent, also without a label.
    name = label(chunk).strip()
    return (f"{name}\n{chunk.text}" if name else chunk.text).rstrip() + SEPARATOR


def label(chunk: Chunk) -> str:
    """Return the title of the chunk's document; without a title, the innermost heading above the chunk.

    A heading that the first line of the chunk holds is left out. The path of headings is not part of the
    text: on a manual it took a third of a small pack (docs/decisions/0019-passages.md).

    >>> label(Chunk(doc_id="d", start=0, end=3, text="Go!", num_tokens=2, section=("Backup", "Restore")))
    'Restore'
    """
    # A line end in a title would let a document write lines of its own between the chunks.
    title, heading = (
        " ".join(filter(None, name.splitlines())) for name in (chunk.title, (chunk.section or ("",))[-1])
    )
    return title or ("" if heading in chunk.text.partition("\n")[0] else heading)


def unit_tokens(
    units: Sequence[str], num_tokens: int, count: Callable[[Sequence[str]], list[int]]
) -> list[int]:
    """Return the number of tokens that each rendered chunk adds to the text of a pack, in order.

    The numbers add up exactly to `num_tokens`. First each rendered chunk is counted alone. If the sum is
    wrong, because a token reaches across the end of a chunk, growing prefixes of the text are counted.

    Args:
        units: Rendered chunks, as `render_units` returns them.
        num_tokens: Number of tokens of the whole text.
        count: Function that returns the number of tokens of each text.
    """
    alone = count(units)
    if sum(alone) == num_tokens:
        return alone
    prefixes = ["".join(units[:number]) for number in range(1, len(units) + 1)]
    return [after - before for before, after in pairwise([0, *count(prefixes)])]
