"""Probe queries: searches whose results are recorded when an index is built and compared by a later check.

The results belong to one generation (one published version of an index).
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from contextsvc.ports import LexicalIndex, VectorIndex
from contextsvc.records.packs import Ranking
from contextsvc.storage.corpus import Corpus
from contextsvc.storage.generation import disk_writes

PROBES = "probes.json"
NUM_PROBES = 8
_K = 10
_TOLERANCE = 1e-5


def record_probes(folder: Path, corpus: Corpus, vectors: VectorIndex, lexical: LexicalIndex) -> None:
    """Run the probe queries and write their results to `PROBES` in the folder.

    A probe query is the first sentence of a chunk. Up to `NUM_PROBES` chunks are taken, evenly spread over
    the corpus.

    Args:
        folder: Folder of the generation.
        corpus: The generation's documents, chunks and vectors.
        vectors: The generation's dense search.
        lexical: The generation's lexical search.

    Raises:
        WriteError: the operating system refused to write the file.
    """
    answers = [
        {"chunk": number, **_ask(corpus, number, vectors, lexical)} for number in _chunks(corpus.num_chunks)
    ]
    with disk_writes():
        (folder / PROBES).write_text(json.dumps(answers), encoding="utf-8")


def changed_answers(folder: Path, corpus: Corpus, vectors: VectorIndex, lexical: LexicalIndex) -> list[str]:
    """Run the probe queries again and return one sentence for each result that differs from its record.

    Two results are equal if they have the same ids in the same order and if their scores differ by at most
    1e-5. If the recorded results cannot be read, the only sentence says so.
    """
    try:
        recorded = json.loads((folder / PROBES).read_bytes())
        found = []
        for probe in recorded:
            now = _ask(corpus, probe["chunk"], vectors, lexical)
            found += [
                f"{kind} search for the first sentence of chunk {probe['chunk']} does not answer as recorded"
                for kind in ("dense", "lexical")
                if not _same(probe[kind], now[kind])
            ]
        return found
    except (OSError, ValueError, TypeError, KeyError) as error:
        return [f"{PROBES}: cannot be read: {error}"]


def _chunks(num_chunks: int) -> list[int]:
    spread = np.linspace(0, num_chunks - 1, NUM_PROBES).astype(int) if num_chunks else np.zeros(0, int)
    return sorted(set(spread.tolist()))


def _ask(corpus: Corpus, number: int, vectors: VectorIndex, lexical: LexicalIndex) -> dict[str, Any]:
    chunk = corpus.chunk(number)
    start, end = corpus.sentence_spans(number)[0]
    at = chunk.offset(start)
    text = chunk.text[at : at + end - start]
    vector = corpus.sentence_vectors[corpus.sentence_rows(number)[:1]].astype(np.float32)
    return {
        "dense": _pairs(vectors.search(vector, _K)[0]),
        "lexical": _pairs(lexical.search([text], _K)[0]),
    }


def _pairs(ranking: Ranking) -> list[list[float]]:
    return [list(pair) for pair in zip(ranking.ids.tolist(), ranking.scores.tolist(), strict=True)]


def _same(one: list[list[float]], other: list[list[float]]) -> bool:
    return [pair[0] for pair in one] == [pair[0] for pair in other] and all(
        abs(a[1] - b[1]) <= _TOLERANCE for a, b in zip(one, other, strict=True)
    )
