"""Placebos: chunks of the same index that have nothing to do with a pack; their effects are chance."""

from collections.abc import Sequence

import numpy as np

from contextsvc.measuring.prompts import prompt_seed, read_units
from contextsvc.records.arrays import Float64Array
from contextsvc.records.packs import ContextPack
from contextsvc.records.rendering import reader_unit
from contextsvc.storage.library import LoadedIndex

SAMPLE = 32
"""Chunks of a generation from which placebos are drawn. Few, and the same for every pack, so that a reader
that caches the states of chunks has often read them before. A draw of many placebos uses a larger sample."""


def draw_placebos(index: LoadedIndex, pack: ContextPack, num_placebos: int, seed: int) -> list[int]:
    """Draw unrelated chunks of similar length for a pack.

    The draw has three steps: a random sample of the index, the half of it that is least similar to the
    pack, and of these the nearest in length, so that length does not pass for relevance. Length is counted
    in characters of the text that the reader reads: tokens would make the draw depend on the tokenizer.

    The draw depends on the seed, on the texts of the pack in their order, on the query, and on the chunks
    of the index. Row numbers matter only for an index with more chunks than the sample: there the same
    documents in another order give another sample.

    Args:
        index: The generation that the pack was made from.
        pack: Chunks with the text of one of its chunks are never drawn.
        num_placebos: How many to draw.
        seed: The seed of the settings.

    Returns:
        Row numbers, `num_placebos` of them. A small index repeats a chunk. Empty if the pack is empty or the
        sample holds no other text.
    """
    corpus = index.corpus
    own = [packed.candidate.number for packed in pack.chunks]
    if not own or not num_placebos:
        return []
    size = max(SAMPLE, 16 * num_placebos) + len(own)
    sample = np.random.default_rng(seed).permutation(corpus.num_chunks)[:size].tolist()
    texts = {number: reader_unit(corpus.chunk(number)) for number in sample}
    # The whole chunks, not what trimming left of them. By text: a copy of a chunk is no placebo for it.
    excluded = {reader_unit(corpus.chunk(number)) for number in own}
    others = [number for number in sample if texts[number] not in excluded]
    if not others:
        return []
    # By text, so that ties below do not depend on row numbers.
    others.sort(key=lambda number: (texts[number], number))
    least_similar = np.argsort(_similarities(index, others, own), kind="stable")
    unrelated = [others[place] for place in least_similar[: max(num_placebos, len(others) // 2)]]
    units = read_units(pack)
    length = sum(map(len, units)) / len(units)
    nearest = sorted(unrelated, key=lambda number: abs(len(texts[number]) - length))
    pool = nearest[: max(2 * num_placebos, len(unrelated) // 2)]
    rng = np.random.default_rng(prompt_seed(seed, "placebos", pack.query, units))
    return [int(number) for number in rng.choice(pool, size=num_placebos, replace=len(pool) < num_placebos)]


def _similarities(index: LoadedIndex, numbers: Sequence[int], own: Sequence[int]) -> Float64Array:
    """Similarity of each chunk to the mean vector of the pack: (len(numbers),)."""
    vectors = index.corpus.chunk_vectors
    centre = vectors[own].astype(np.float64).mean(axis=0)
    # Row by row: the last bits of a matrix product depend on the number of rows.
    similarities: Float64Array = (vectors[numbers].astype(np.float64) * centre).sum(axis=1)
    return similarities
