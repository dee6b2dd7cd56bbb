"""Chunks that have nothing to do with a pack: what their effect is, is chance."""

from collections.abc import Sequence

import numpy as np

from contextsvc.records.arrays import Int64Array
from contextsvc.records.packs import ContextPack
from contextsvc.storage.library import LoadedIndex

SAMPLE = 32
"""Chunks of a generation among which placebos are looked for. Few, and the same for every pack, so that
a reader that keeps the states of chunks has read them before; a run that wants many draws from more."""


def draw_placebos(index: LoadedIndex, pack: ContextPack, wanted: int, seed: int) -> list[int]:
    """Numbers of chunks of like length that have nothing to do with the pack, drawn by seed and pack.

    Of a random sample the half least alike to the pack, and of these the nearest in length, so that
    length does not pass for relevance. A small index gives a chunk more than once, then at another
    place of the pack. None where the index holds nothing but the pack.
    """
    own = sorted({packed.candidate.number for packed in pack.chunks})
    strangers = np.setdiff1d(np.arange(index.corpus.num_chunks), own)
    if not own or not len(strangers) or not wanted:
        return []
    size = min(index.corpus.num_chunks, max(SAMPLE, 16 * wanted) + len(own))
    sample = np.random.default_rng(seed).permutation(index.corpus.num_chunks)[:size]
    rng = np.random.default_rng([seed, int(pack.pack_id[:8], 16)])
    sample = np.setdiff1d(sample, own)
    unlike = sample[np.argsort(_likeness(index, sample, own), kind="stable")]
    unlike = unlike[: max(wanted, len(sample) // 2)]
    length = np.mean([packed.candidate.chunk.num_tokens for packed in pack.chunks])
    gaps = np.abs(index.corpus.chunk_tokens[unlike] - length)
    pool = unlike[np.argsort(gaps, kind="stable")][: max(2 * wanted, len(unlike) // 2)]
    return [int(number) for number in rng.choice(pool, size=wanted, replace=len(pool) < wanted)]


def _likeness(index: LoadedIndex, numbers: Int64Array, own: Sequence[int]) -> np.ndarray:
    vectors = index.corpus.chunk_vectors
    centre = vectors[list(own)].astype(np.float64).mean(axis=0)
    likeness: np.ndarray = vectors[numbers].astype(np.float64) @ centre
    return likeness
