"""Calibration of an index's threshold for answer scores, on questions made from its own chunks.

A question consists of the rarest words of a chunk. The index answers it, because it holds the chunk. The same
question without the chunk's document and without the chunks most like it is one that the index does not
answer. Both are searched and scored as requests are.

A real question scores lower than one of rare words, because it does not repeat the text. By how much lower
was measured on seven collections, whose real questions the threshold flags at nearly the same rate
(docs/decisions/0018-answerable-per-index.md).
"""

import math

import numpy as np

from contextsvc.packing.answerability import score_answer
from contextsvc.packing.assembler import Query, RetrievalSettings, find_candidates
from contextsvc.packing.signals import best_sentence_similarity
from contextsvc.ports import Embedder
from contextsvc.records.arrays import BoolArray, Float64Array, Int64Array
from contextsvc.records.packs import AnswerCalibration
from contextsvc.storage.library import SearchableCorpus

MAX_QUESTIONS = 100
"""Largest number of questions. With 100, the threshold varies by about .01 from one draw to another."""

MIN_QUESTIONS = 20
"""Least number of questions. With fewer, two of them would decide the threshold."""

WORDS = 4
"""Number of words in a question."""

QUANTILE, FACTOR = 0.1, 0.9
"""The threshold is `FACTOR` times the score that the share `QUANTILE` of the questions stays below. Both were
chosen together: a lower quantile with a larger factor gives the same thresholds, but varies more."""

SUBJECT_SHARE, MAX_SUBJECT = 0.05, 1_000
"""Share of the chunks, and their largest number, that count as the subject of a chunk: those most like it."""


def calibrate_answers(
    index: SearchableCorpus, embedder: Embedder, settings: RetrievalSettings
) -> AnswerCalibration:
    """Choose the threshold of an index, and measure how often it errs on questions made from the index.

    The same index, embedder and settings give the same calibration.

    Args:
        index: The corpus and its searches.
        embedder: Model that makes the vectors of queries.
        settings: Settings of the search.

    Returns:
        The calibration. It has no threshold if there are fewer than `MIN_QUESTIONS` questions.
    """
    asked = _questions(index)
    if len(asked) < MIN_QUESTIONS:
        return AnswerCalibration(num_questions=len(asked))
    vectors = embedder.embed_queries([text for _, text in asked])
    documents = index.corpus.documents_of_chunks
    there, gone = np.zeros(len(asked)), np.zeros(len(asked))
    for row, (number, text) in enumerate(asked):
        query = Query(text, vectors[row])
        there[row] = _score(index, query, settings, None)
        gone[row] = _score(index, query, settings, _without_subject(index, number, documents))
    return calibration_of(there, gone)


def calibration_of(there: Float64Array, gone: Float64Array) -> AnswerCalibration:
    """Choose a threshold from the answer scores of questions, at least one.

    Args:
        there: (n,) scores with the chunk that each question was made from.
        gone: (n,) scores without it and its subject.
    """
    threshold = math.floor(100 * FACTOR * float(np.quantile(there, QUANTILE))) / 100
    return AnswerCalibration(
        threshold=threshold,
        num_questions=len(there),
        flagged=float(np.mean(there < threshold)),
        passed=float(np.mean(gone >= threshold)),
    )


def _questions(index: SearchableCorpus) -> list[tuple[int, str]]:
    """Return chunks, evenly spread over the corpus, each with its question.

    A chunk with fewer than `WORDS` words makes none.
    """
    num_chunks = index.corpus.num_chunks
    spread = np.linspace(0, num_chunks - 1, min(MAX_QUESTIONS, num_chunks)).astype(int)
    found = []
    for number in spread.tolist():
        rare = index.lexical.rare_words(index.corpus.chunk(number).text, WORDS)
        if len(rare) == WORDS:
            found.append((number, " ".join(rare)))
    return found


def _without_subject(index: SearchableCorpus, number: int, documents: Int64Array) -> BoolArray:
    """Return which chunks remain without the document of a chunk and without the chunks most like it."""
    size = min(MAX_SUBJECT, math.ceil(SUBJECT_SHARE * index.corpus.num_chunks))
    vector = index.corpus.chunk_vectors[number].astype(np.float32)
    (nearest,) = index.vectors.search(vector[None], size)
    allowed: BoolArray = documents != documents[number]
    allowed[nearest.ids] = False
    return allowed


def _score(
    index: SearchableCorpus, query: Query, settings: RetrievalSettings, allowed: BoolArray | None
) -> float:
    ids, _ = find_candidates(index, query, settings, allowed)
    similarity = best_sentence_similarity(index.corpus, ids, query.vector)
    return score_answer(index.lexical, query.text, ids, similarity)
