"""Semantic chunking: compute chunk bounds from sentences and their vectors, by dynamic programming.

The cohesion of a chunk is a sum over all pairs of its sentences. Each pair adds its cosine minus the mean
cosine of near pairs in the document. Pairs above the mean hold a chunk together, and pairs below the mean
split it. So no percentile has to be chosen.

The best segmentation has the greatest total cohesion under a minimum and a maximum number of tokens per
chunk. It is a best path over the gaps between sentences, and it is found exactly. Rejected: cutting greedily
where the similarity of neighbouring sentences falls below a percentile. A greedy cut looks at one gap at a
time, and it limits neither the smallest nor the largest chunk.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from contextsvc.errors import ShapeError
from contextsvc.records.arrays import Float32Array, Float64Array, Int64Array
from contextsvc.records.documents import Sentence
from contextsvc.records.spans import NO_SPAN

Bounds = tuple[int, int]
"""Number of a chunk's first sentence, and the number one past its last sentence."""

NEAR = 8
"""Greatest distance, in sentences, between the two sentences of a near pair."""


def chunk_bounds(
    sentences: Sequence[Sentence],
    vectors: Float32Array,
    min_tokens: int,
    max_tokens: int,
    count: Callable[[int, int], int] | None = None,
) -> list[Bounds]:
    """Segment a document into chunks, which are runs of whole units.

    Each section is segmented by itself. A section below the minimum is first joined with the next section. A
    heading stays in one chunk with the unit after it, if both fit. A fence that is never closed ends its
    chunk, because what follows would look like code. A chunk is below the minimum only if these rules and the
    maximum allow no other segmentation, or if the document itself is smaller.

    Args:
        sentences: Sentences in document order, with their units.
        vectors: Vector of each sentence: (num_sentences, dim), unit rows.
        min_tokens: Smallest number of tokens in a chunk, at least 1.
        max_tokens: Largest number of tokens in a chunk, at least `min_tokens`. No unit may have more.
        count: Function (i, j) that counts the tokens of the text of sentences i to j - 1. The text can have
            more tokens than the sum of its sentences. A chunk that then has more than `max_tokens` is divided
            between its units until every part fits. If None, the sum is used.

    Returns:
        Bounds of the chunks, in order. They cover all sentences. The list is empty if there are no sentences.

    Raises:
        ShapeError: the numbers of sentences and vectors differ, or not 1 <= min_tokens <= max_tokens.
    """
    if len(sentences) != len(vectors):
        raise ShapeError(f"{len(sentences)} sentences but {len(vectors)} vectors")
    if not 1 <= min_tokens <= max_tokens:
        raise ShapeError(f"expected 1 <= min_tokens <= max_tokens, found {min_tokens}, {max_tokens}")
    if not sentences:
        return []
    mean = mean_near_similarity(vectors)
    units = _units(sentences)
    size = count or (lambda first, end: sum(sentence.num_tokens for sentence in sentences[first:end]))
    atoms = _atoms(sentences, units, max_tokens, size)
    bounds: list[Bounds] = []
    starts = np.array([first for first, _ in atoms], dtype=np.int64)
    for first, end in _sections(sentences, atoms, min_tokens):
        inside = slice(*np.searchsorted(starts, [first, end]))
        edges = np.append(starts[inside], end)
        bounds.extend(_best_path(sentences, vectors, edges, mean, min_tokens, max_tokens))
    return _within_maximum(bounds, (atoms, units), max_tokens, count) if count else bounds


def mean_near_similarity(vectors: Float32Array) -> float:
    """Compute the mean cosine of all pairs of sentences that are at most `NEAR` sentences apart.

    It is 0 for fewer than two sentences.
    """
    total, pairs = 0.0, 0
    for distance in range(1, min(NEAR, len(vectors) - 1) + 1):
        total += float(np.einsum("ij,ij->", vectors[distance:], vectors[:-distance], dtype=np.float64))
        pairs += len(vectors) - distance
    return total / pairs if pairs else 0.0


def _units(sentences: Sequence[Sentence]) -> list[Bounds]:
    numbers = [sentence.unit for sentence in sentences]
    firsts = [at for at, number in enumerate(numbers) if at == 0 or number != numbers[at - 1]]
    return list(pairwise([*firsts, len(sentences)]))


def _atoms(
    sentences: Sequence[Sentence], units: Sequence[Bounds], max_tokens: int, size: Callable[[int, int], int]
) -> list[Bounds]:
    """Find the runs of sentences that are never divided: a unit with the headings directly above it.

    If the headings and the unit do not fit a chunk together, the headings form a run of their own.
    """
    atoms: list[Bounds] = []
    for first, end in units:
        above = atoms[-1] if atoms and sentences[first - 1].kind == "heading" else None
        if above and size(above[0], end) <= max_tokens:
            atoms[-1] = (above[0], end)
        else:
            atoms.append((first, end))
    return atoms


def _sections(sentences: Sequence[Sentence], atoms: Sequence[Bounds], min_tokens: int) -> list[Bounds]:
    """Find sections, and join small ones until each has at least `min_tokens`.

    A small section is joined with the next section. A small last section is joined with the previous one. A
    document below the minimum is one section. No section goes on after a fence that is never closed.
    """
    sections: list[Bounds] = []
    tokens = [sentence.num_tokens for sentence in sentences]

    def is_small(section: Bounds) -> bool:
        return sum(tokens[slice(*section)]) < min_tokens

    for first, end in atoms:
        opens = sentences[first].starts_section and not (sections and is_small(sections[-1]))
        if not sections or opens or _must_end(sentences, first):
            sections.append((first, end))
        else:
            sections[-1] = (sections[-1][0], end)
    if len(sections) > 1 and is_small(sections[-1]) and not _must_end(sentences, sections[-1][0]):
        last = sections.pop()
        sections[-1] = (sections[-1][0], last[1])
    return sections


def _must_end(sentences: Sequence[Sentence], at: int) -> bool:
    """Return whether a chunk must end before a sentence, because a fence ends there that is never closed."""
    before, after = sentences[at - 1], sentences[at]
    return before.closing != NO_SPAN and after.opening == NO_SPAN


def _best_path(
    sentences: Sequence[Sentence],
    vectors: Float32Array,
    edges: Int64Array,
    mean: float,
    min_tokens: int,
    max_tokens: int,
) -> list[Bounds]:
    """Find the best segmentation of a section into chunks.

    It has the smallest possible number of chunks below the minimum and, among such segmentations, the
    greatest cohesion. If several are equal, the one with the longer last chunk is taken.
    """
    first, end = int(edges[0]), int(edges[-1])
    if len(edges) == 2:
        return [(first, end)]
    sums = np.zeros((end - first + 1, vectors.shape[1]))
    np.cumsum(vectors[first:end], axis=0, dtype=np.float64, out=sums[1:])
    tokens = np.concatenate([[0], np.cumsum([s.num_tokens for s in sentences[first:end]])])[edges - first]
    sums = sums[edges - first]
    num_gaps = len(edges)
    num_small = np.zeros(num_gaps, dtype=np.int64)
    cohesion = np.zeros(num_gaps)
    back = np.zeros(num_gaps, dtype=np.int64)
    lows = np.searchsorted(tokens, tokens - max_tokens, side="left").tolist()
    expected = _expected_sums(end - first, mean)
    for j in range(1, num_gaps):
        low = min(lows[j], j - 1)
        run = slice(low, j)
        below = num_small[run] + (tokens[j] - tokens[run] < min_tokens)
        value = cohesion[run] + _cohesion(sums[j] - sums[run], edges[j] - edges[run], expected)
        value[below > below.min()] = -np.inf
        best = int(np.argmax(value))
        num_small[j], cohesion[j], back[j] = below[best], value[best], low + best
    path = [num_gaps - 1]
    while path[-1] > 0:
        path.append(int(back[path[-1]]))
    marks = [int(edges[gap]) for gap in reversed(path)]
    return list(pairwise(marks))


def _expected_sums(most: int, mean: float) -> Float64Array:
    """Return the expected sum of the cosines of all pairs in a run, for runs of 0 to `most` sentences."""
    sizes = np.arange(most + 1)
    expected: Float64Array = mean * (sizes * (sizes - 1) / 2)
    return expected


def _cohesion(sums: Float64Array, sizes: Int64Array, expected: Float64Array) -> Float64Array:
    # |sum of unit vectors|^2 = size + 2 * (sum over pairs of their cosine)
    result: Float64Array = (np.einsum("ij,ij->i", sums, sums) - sizes) / 2 - expected[sizes]
    return result


def _within_maximum(
    bounds: Sequence[Bounds],
    runs: tuple[Sequence[Bounds], Sequence[Bounds]],
    max_tokens: int,
    count: Callable[[int, int], int],
) -> list[Bounds]:
    """Divide chunks that have more than `max_tokens`, between runs that are not divided.

    The maximum is guaranteed, but the tokens of a run are not exactly the sum of its sentences' tokens.

    Args:
        bounds: Bounds of the chunks.
        runs: Bounds of runs that stay whole: the preferred ones, and smaller ones, each of which fits.
        max_tokens: Largest number of tokens in a chunk.
        count: Function (i, j) that counts the tokens of the text of sentences i to j - 1.
    """
    kept: list[Bounds] = []
    waiting = list(reversed(bounds))
    starts = [[first for first, _ in of_kind] for of_kind in runs]
    while waiting:
        first, end = waiting.pop()
        inside = [own[bisect_right(own, first) : bisect_left(own, end)] for own in starts]
        cuts = inside[0] or inside[1]
        if cuts and count(first, end) > max_tokens:
            middle = min(cuts, key=lambda at: (abs(2 * at - first - end), at))
            waiting += [(middle, end), (first, middle)]
        else:
            kept.append((first, end))
    return kept


def pooled_vectors(vectors: Float32Array, bounds: Sequence[Bounds]) -> Float32Array:
    """Compute chunk vectors: the mean of the vectors of a chunk's sentences, scaled to unit length.

    Args:
        vectors: Vector of each sentence: (num_sentences, dim), unit rows.
        bounds: Bounds of each chunk. No chunk is empty.

    Returns:
        (num_chunks, dim) float32. A mean of zero stays zero.
    """
    pooled = np.zeros((len(bounds), vectors.shape[1]))
    for row, (first, end) in enumerate(bounds):
        pooled[row] = vectors[first:end].mean(axis=0, dtype=np.float64)
    lengths = np.linalg.norm(pooled, axis=1, keepdims=True)
    np.divide(pooled, lengths, out=pooled, where=lengths > 0)
    return pooled.astype(np.float32)
