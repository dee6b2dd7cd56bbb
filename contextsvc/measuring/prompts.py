"""The units of a pack as a reader reads them, and the seeds of the random draws that belong to them."""

from collections.abc import Sequence

from contextsvc.records.fingerprints import digest
from contextsvc.records.packs import ContextPack
from contextsvc.records.rendering import reader_unit


def read_units(pack: ContextPack) -> tuple[str, ...]:
    """Text of each chunk of the pack as a reader reads it, in the order of the pack."""
    return tuple(reader_unit(packed.candidate.chunk) for packed in pack.chunks)


def prompt_seed(seed: int, purpose: str, query: str, units: Sequence[str]) -> list[int]:
    """Seed of a random draw for one prompt; the same prompt gives the same draw.

    It depends on what the reader reads: the units in their order, and the query. Rejected:

    - The id of the pack. It also hashes what a reader never sees: budget, ordering, tokenizer, index name,
      generation. Two packs of the same text would get different placebos and so different verdicts.
    - The target and the reader. Without them two readers, or two responses, are compared on the same
      placebos and the same masks, and only what is compared differs.

    Args:
        seed: The seed of the settings, at least 0.
        purpose: Name of the draw. Draws of different purposes for one prompt are independent.
        query: The question of the prompt.
        units: The context units of the prompt, in order.

    >>> prompt_seed(7, "places", "q", ["a", "b"]) == prompt_seed(7, "places", "q", ["b", "a"])
    False
    """
    return [seed, int(digest(purpose, query, *units)[:16], 16)]
