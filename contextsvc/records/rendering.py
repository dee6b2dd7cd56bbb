"""Rendering of chunks as the exact text that a language model reads."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from itertools import count as count_from
from itertools import pairwise

from contextsvc.records.documents import Chunk

SEPARATOR = "\n\n"

LABEL_CHARS = 100
"""Maximum number of characters of a label. A longer title or heading would leave no room for text."""

RENDERING = f"citations, labels:{LABEL_CHARS}"
"""Fingerprint of the rendering. It is part of the ids of packs."""

# A number in brackets that is not the index of an array, such as `row[1]`.
_CITATION = re.compile(r"(?<!\w)\[(#*)\d+\]")


def render_units(chunks: Sequence[Chunk]) -> list[str]:
    """Return the rendered text of each chunk of a pack. Joined without a separator, they are the pack's text.

    Each text is a line `[number] label`, the text of the chunk and a blank line. Numbers begin at 1. The last
    text has no blank line. Equal chunks give equal bytes.
    """
    names = list(map(label, chunks))
    pieces = [
        f"{citation} {name}".rstrip() + f"\n{chunk.text}"
        for citation, name, chunk in zip(_marks(names, chunks), names, chunks, strict=True)
    ]
    return [piece + SEPARATOR for piece in pieces[:-1]] + pieces[-1:]


def citations(chunks: Sequence[Chunk]) -> list[str]:
    """Return the mark that stands before each chunk in the text of a pack: `[1]`, `[2]` and so on.

    If a chunk's text or label has such numbers itself, as a list of references does, the marks are `[#1]`,
    `[#2]`, or have as many `#` as it takes to differ from all of them. So a model's `[#2]` names one chunk,
    and no document can write a mark. Rejected: escaping the text, which would no longer be the document's.

    >>> made = Chunk(doc_id="d", start=0, end=10, text="As in [7].", num_tokens=4)
    >>> citations([made, made])
    ['[#1]', '[#2]']
    """
    return _marks(list(map(label, chunks)), chunks)


def _marks(names: Sequence[str], chunks: Sequence[Chunk]) -> list[str]:
    """Return the marks of chunks whose labels are known."""
    texts = [*names, *(chunk.text for chunk in chunks)]
    taken = {len(marks) for text in texts for marks in _CITATION.findall(text)}
    marks = "#" * next(number for number in count_from() if number not in taken)
    return [f"[{marks}{number}]" for number in range(1, len(chunks) + 1)]


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

    A title or heading of more than `LABEL_CHARS` characters is cut after a word and ends in an ellipsis. A
    heading that the first line of the chunk holds is left out. The path of headings is not part of the
    text: on a manual it took a third of a small pack (docs/decisions/0019-passages.md).

    >>> label(Chunk(doc_id="d", start=0, end=3, text="Go!", num_tokens=2, section=("Backup", "Restore")))
    'Restore'
    """
    # A line end in a title would let a document write lines of its own between the chunks.
    title, heading = (
        " ".join(filter(None, name.splitlines())) for name in (chunk.title, (chunk.section or ("",))[-1])
    )
    return _shortened(title or ("" if heading in chunk.text.partition("\n")[0] else heading))


def _shortened(name: str) -> str:
    """Return the beginning of a name that is too long, and an ellipsis."""
    if len(name) <= LABEL_CHARS:
        return name
    end = LABEL_CHARS - 1
    # A letter keeps its accents, and what a joiner joins stays together.
    while end and (unicodedata.category(name[end])[0] == "M" or "\u200d" in name[end - 1 : end + 1]):
        end -= 1
    words = name[:end].rpartition(" ")[0]
    # Text without spaces has no last word.
    return (words if 2 * len(words) > end and name[end] != " " else name[:end]).rstrip() + "…"


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
