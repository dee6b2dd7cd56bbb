"""Draw placebos for a pack.

A placebo is a chunk of the same index that has nothing to do with the pack. It is put into the pack as a
control: its effect shows how large an effect can be by chance.
"""

from collections.abc import Sequence

import numpy as np

from contextsvc.measuring.prompts import prompt_seed, read_units
from contextsvc.records.arrays import Float64Array
from contextsvc.records.packs import Candidate, ContextPack
from contextsvc.records.rendering import reader_unit
from contextsvc.storage.corpus import Corpus
from contextsvc.storage.corpus.excerpts import chunks_in
from contextsvc.storage.library import LoadedIndex

SAMPLE = 32
"""Number of chunks of a generation from which placebos are drawn. It is small, and the sample is the same for
every pack. So a reader that caches the states of chunks has often read the sampled chunks before. A draw of
many placebos uses a larger sample."""


def draw_placebos(index: LoadedIndex, pack: ContextPack, num_placebos: int, seed: int) -> list[int]:
    """Draw unrelated chunks of similar length for a pack.

    The draw has these steps. First, a random sample of the index is drawn. Second, the half of the sample
    that is least similar to the pack is kept. Third, the chunks nearest in length to the pack's chunks are
    kept, because otherwise an effect of length could look like an effect of relevance. The placebos are drawn
    from these. Length is counted in characters of the text that the reader reads. Tokens would make the draw
    depend on the tokenizer.

    The draw depends on the seed, on the texts of the pack in their order, on the query, and on the chunks of
    the index. It depends on row numbers only if the index has more chunks than the sample. Then the same
    documents in another order give another sample.

    Args:
        index: The generation that the pack was made from.
        pack: The pack. A chunk that the pack holds a part of is never drawn, nor is one with the same text.
        num_placebos: Number of placebos to draw.
        seed: The seed of the settings.

    Returns:
        Row numbers of `num_placebos` chunks. In a small index a chunk may be drawn more than once. The list
        is empty if the pack is empty or if the sample holds no other text.
    """
    corpus = index.corpus
    own = [number for packed in pack.chunks for number in _chunks_of(corpus, packed.candidate)]
    if not own or not num_placebos:
        return []
    size = max(SAMPLE, 16 * num_placebos) + len(own)
    sample = np.random.default_rng(seed).permutation(corpus.num_chunks)[:size].tolist()
    texts = {number: reader_unit(corpus.chunk(number)) for number in sample}
    # Chunks are excluded by text, because a copy of a chunk is no placebo.
    excluded = {reader_unit(corpus.chunk(number)) for number in own}
    others = [number for number in sample if texts[number] not in excluded]
    if not others:
        return []
    # Sorted by text, so that ties below do not depend on row numbers.
    others.sort(key=lambda number: (texts[number], number))
    least_similar = np.argsort(_similarities(index, others, own), kind="stable")
    unrelated = [others[place] for place in least_similar[: max(num_placebos, len(others) // 2)]]
    units = read_units(pack)
    length = sum(map(len, units)) / len(units)
    nearest = sorted(unrelated, key=lambda number: abs(len(texts[number]) - length))
    pool = nearest[: max(2 * num_placebos, len(unrelated) // 2)]
    rng = np.random.default_rng(prompt_seed(seed, "placebos", pack.query, units))
    return [int(number) for number in rng.choice(pool, size=num_placebos, replace=len(pool) < num_placebos)]


def _chunks_of(corpus: Corpus, passage: Candidate) -> list[int]:
    """Return the numbers of the chunks of the index that a passage of a pack may hold parts of."""
    return chunks_in(corpus, passage.number, passage.chunk.whole)


def _similarities(index: LoadedIndex, numbers: Sequence[int], own: Sequence[int]) -> Float64Array:
    """Compute the similarity of each chunk to the mean vector of the pack: (len(numbers),)."""
    vectors = index.corpus.chunk_vectors
    centre = vectors[own].astype(np.float64).mean(axis=0)
    # Computed row by row, because the last bits of a matrix product depend on the number of rows.
    similarities: Float64Array = (vectors[numbers].astype(np.float64) * centre).sum(axis=1)
    return similarities
