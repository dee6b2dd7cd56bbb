"""Measure the sentences of the live and redundant chunks of a pack.

This is the same ablation as for chunks, but each unit (text that can be removed) is a sentence.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from contextsvc.measuring.masks import Fit, required_masks, subset_masks
from contextsvc.measuring.prompts import prompt_seed
from contextsvc.measuring.records import SentenceVerdict, Utilization
from contextsvc.measuring.verdicts import verdict_of
from contextsvc.ports import Limits, Prompt, Reader
from contextsvc.ports.reading import Cost
from contextsvc.records.arrays import BoolArray
from contextsvc.records.documents import Chunk
from contextsvc.records.packs import ContextPack, PackedChunk
from contextsvc.records.rendering import SEPARATOR, label
from contextsvc.records.spans import Span, offset_in
from contextsvc.storage.corpus.excerpts import sentence_spans_in
from contextsvc.storage.library import LoadedIndex


@dataclass(frozen=True, slots=True)
class _Pieces:
    """Chunks cut into heading lines and sentences.

    Attributes:
        texts: Text of each piece, in the order of the prompt. Joined, the pieces are the chunks as a reader
            reads them.
        blocks: Number of the chunk of each piece, from 0.
        sentences: Number of the sentence of each piece, counted over all chunks, from 0. It is -1 for a
            heading line.
        spans: (chunk, start, end) of each sentence. Start and end are character offsets in the document.
    """

    texts: tuple[str, ...]
    blocks: tuple[int, ...]
    sentences: tuple[int, ...]
    spans: tuple[tuple[int, int, int], ...]


def measure_sentences(
    reader: Reader,
    fit: Fit,
    index: LoadedIndex,
    pack: ContextPack,
    found: Utilization,
    num_subsets: int,
    seed: int,
    limits: Limits,
) -> tuple[tuple[SentenceVerdict, ...] | None, Cost]:
    """Measure each sentence of each live or redundant chunk, in the order of the pack.

    The prompt contains only these chunks, so the effect of a sentence is what it adds to the other sentences.
    The threshold of the chunks is used for the sentences, too.

    Args:
        reader: The reader (the language model) that measured the chunks.
        fit: Computes contributions from masks and outcomes.
        index: The generation that the pack was made from.
        pack: The measured pack.
        found: The measurement of the chunks of the pack.
        num_subsets: Number of random masks besides the required ones.
        seed: The seed of the settings.
        limits: Largest cost of this measurement.

    Returns:
        The verdicts, and the cost. The verdicts are empty if no chunk is live or redundant, and None if a
        limit was reached.
    """
    used = [
        packed
        for packed, verdict in zip(pack.chunks, found.verdicts, strict=True)
        if verdict.verdict in ("live", "redundant")
    ]
    pieces = _pieces(index, used)
    if not pieces.spans:
        return (), Cost()
    count = len(pieces.spans)
    subsets = subset_masks(count, num_subsets, prompt_seed(seed, "sentences", pack.query, pieces.texts))
    design = np.concatenate([required_masks(count, 0), subsets])
    prompt = Prompt(pieces.texts, pack.query, pieces.blocks)
    scores = reader.score(prompt, _piece_masks(design, pieces), found.target, limits)
    if np.isnan(scores.values).any():
        return None, scores.cost
    effects, targets = fit(design, scores.exchange), fit(design, scores.values)
    verdicts = tuple(
        SentenceVerdict(
            used[chunk].candidate.chunk.chunk_id,
            start,
            end,
            round(float(effect), 6),
            verdict_of(float(effect), float(target), found.threshold.eps),
        )
        for (chunk, start, end), effect, target in zip(pieces.spans, effects, targets, strict=True)
    )
    return verdicts, scores.cost


def _pieces(index: LoadedIndex, used: Sequence[PackedChunk]) -> _Pieces:
    texts: list[str] = []
    blocks: list[int] = []
    sentences: list[int] = []
    spans: list[tuple[int, int, int]] = []
    for number, packed in enumerate(used):
        chunk = packed.candidate.chunk
        texts.append(f"{label(chunk)}\n".lstrip())
        blocks.append(number)
        sentences.append(-1)
        known = sentence_spans_in(index.corpus, packed.candidate.number, chunk.whole)
        inside = _sentences_in(chunk, known)
        # Text between two sentences (spaces, the mark of an omission, repeated lines) belongs to the first
        # sentence. Lines repeated before the first sentence belong to that sentence.
        offsets = [0, *(chunk.offset(start) for start, _ in inside[1:]), len(chunk.text)]
        for (start, end), (at, following) in zip(inside, pairwise(offsets), strict=True):
            texts.append(chunk.text[at:following])
            blocks.append(number)
            sentences.append(len(spans))
            spans.append((number, start, end))
        texts[-1] = texts[-1].rstrip() + SEPARATOR
    return _Pieces(tuple(texts), tuple(blocks), tuple(sentences), tuple(spans))


def _sentences_in(chunk: Chunk, spans: Iterable[Span]) -> list[Span]:
    """Return the sentences of the document that are in the pack's chunk, clipped to the pack's chunk."""
    clipped = [(max(start, chunk.start), min(end, chunk.end)) for start, end in spans]
    return [(a, b) for a, b in clipped if a < b and offset_in(chunk.spans, a, chunk.frames) is not None]


def _piece_masks(design: BoolArray, pieces: _Pieces) -> BoolArray:
    """Turn masks over sentences into masks over pieces.

    A mask keeps the heading line of a chunk if it keeps any sentence of this chunk.
    """
    chunk_of = np.array([chunk for chunk, _, _ in pieces.spans])
    columns = [
        design[:, sentence] if sentence >= 0 else design[:, chunk_of == block].any(axis=1)
        for sentence, block in zip(pieces.sentences, pieces.blocks, strict=True)
    ]
    return np.stack(columns, axis=1)
