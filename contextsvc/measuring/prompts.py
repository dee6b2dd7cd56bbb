"""Render the units of a pack for a reader, and derive the seeds of their random draws.

A unit is a chunk or a sentence that can be removed from the prompt. The reader is the language model that
measures.
"""

from collections.abc import Sequence

from contextsvc.records.fingerprints import digest
from contextsvc.records.packs import ContextPack
from contextsvc.records.rendering import reader_unit


def read_units(pack: ContextPack) -> tuple[str, ...]:
    """Return the text of each chunk as a reader reads it, in the order of the pack."""
    return tuple(reader_unit(packed.candidate.chunk) for packed in pack.chunks)


def prompt_seed(seed: int, purpose: str, query: str, units: Sequence[str]) -> list[int]:
    """Return the seed of a random draw for one prompt. The same prompt gives the same draw.

    The seed depends on what the reader reads: the units in their order, and the query. Two other inputs were
    rejected:

    - The id of the pack. This id also hashes what a reader never sees: budget, ordering, tokenizer, index
      name and generation. Two packs of the same text would get different placebos, and so different verdicts.
    - The target and the reader. Because the seed ignores them, two readers, or two targets, are compared with
      equal placebos and equal masks.

    Args:
        seed: The seed of the settings, at least 0.
        purpose: Name of the draw. Draws of different purposes for one prompt are independent.
        query: The question of the prompt.
        units: The context units of the prompt, in order.

    >>> prompt_seed(7, "places", "q", ["a", "b"]) == prompt_seed(7, "places", "q", ["b", "a"])
    False
    """
    return [seed, int(digest(purpose, query, *units)[:16], 16)]
