"""Answer score of a query: whether any chunk that was found answers the query.

The score of a chunk only ranks it among the chunks that were found. Its term signal is relative to the best
candidate, so the best candidate always has a full term signal, however few of the query's terms it holds. The
answer score uses absolute values instead. Coverage is the share of the query's terms that a chunk holds.
Similarity is that of the chunk's best sentence in context to the query. The best chunk decides:

    weight = COVERAGE_WEIGHT * min(1, FULL_TERMS / n)
    score = max over chunks of weight * coverage * n / (n + 1) + (1 - weight) * similarity

n is the number of the query's terms. A short query is covered by chance, so the coverage of n terms counts
n / (n + 1). A long query wraps its subject in words that no document uses, so its coverage has less weight.

docs/decisions/0013-answerable.md and 0018-answerable-per-index.md name the alternatives that were tried, and
the source of the numbers.
"""

from typing import Literal

from contextsvc.errors import ShapeError
from contextsvc.ports import LexicalIndex
from contextsvc.records.arrays import Float64Array, Int64Array
from contextsvc.records.fingerprints import Fingerprint
from contextsvc.records.packs import AnswerCalibration

COVERAGE_WEIGHT = 0.45
"""Weight of coverage in the answer score of a query of at most `FULL_TERMS` terms."""

FULL_TERMS = 8
"""Number of terms above which the weight of coverage falls."""

THRESHOLD = 0.45
"""Threshold of an index that an earlier version built. It is the greatest number with two decimals below
which at most 5 % of the answerable questions of the tune half of SQuAD's articles lie (row `greatest
threshold that flags at most 5 % of the answerable` of `python -m benchmarks.answerable --part tune`)."""

SMALL_THRESHOLD = 0.35
"""Threshold of an index with too few chunks to choose one (`AnswerCalibration`). The fewer the chunks, the
lower the best score that a query reaches by chance. In 30 indexes of 5 to 28 chunks of SQuAD's training set,
.35 flagged 1 % of the answerable questions and found 97 % of the others; .45 flagged 6 % and found all."""

EMBEDDER = "53aa51172d14"
"""Hash of the weights of all-MiniLM-L6-v2, as in an embedder's fingerprint: the model of both thresholds."""

ThresholdOrigin = Literal["setting", "index", "default"]
"""Origin of a threshold: `CONTEXTSVC_ANSWERABLE`, the index's own chunks, or a constant of this module."""

DECIMALS = 6
"""Number of decimals of the answer score, as of the scores of chunks."""


def similarity_counts(embedder: Fingerprint, calibration: AnswerCalibration) -> bool:
    """Return whether the answer score uses similarity.

    Each embedding model has cosines of its own range. They can be used if the index has a threshold of its
    own, or if the default was chosen with this model, in any precision. Otherwise coverage alone counts.

    >>> known, other = Fingerprint(name="m", weights="53aa51172d14"), Fingerprint(name="m", weights="0123")
    >>> none, own = AnswerCalibration(), AnswerCalibration(threshold=0.6, num_questions=90)
    >>> [similarity_counts(known, none), similarity_counts(other, none), similarity_counts(other, own)]
    [True, False, True]
    """
    return calibration.threshold is not None or embedder.weights == EMBEDDER


def threshold_of(calibration: AnswerCalibration, chosen: float | None) -> tuple[float, ThresholdOrigin]:
    """Return the threshold of an index for answer scores, and its origin.

    Args:
        calibration: Calibration of the index.
        chosen: Threshold of the setting `CONTEXTSVC_ANSWERABLE`, which comes before that of the index. None
            chooses that of the index. If the index has none, `SMALL_THRESHOLD` or `THRESHOLD` is the default.

    >>> own, small = AnswerCalibration(threshold=0.39, num_questions=90), AnswerCalibration(num_questions=9)
    >>> [threshold_of(own, None), threshold_of(own, 0.0), threshold_of(small, None)]
    [(0.39, 'index'), (0.0, 'setting'), (0.35, 'default')]
    >>> threshold_of(AnswerCalibration(), None)
    (0.45, 'default')
    """
    if chosen is not None:
        return chosen, "setting"
    if calibration.threshold is not None:
        return calibration.threshold, "index"
    return THRESHOLD if calibration.num_questions is None else SMALL_THRESHOLD, "default"


def score_answer(
    lexical: LexicalIndex, query: str, ids: Int64Array, similarity: Float64Array | None
) -> float:
    """Compute the answer score of a query from some chunks (see `answer_score`).

    Args:
        lexical: Lexical search of the index.
        query: The query.
        ids: Numbers of the chunks.
        similarity: (len(ids),) similarity of each chunk's best sentence; None if similarity does not count.
    """
    return answer_score(lexical.coverage(query, ids), similarity, lexical.num_terms(query))


def answer_score(
    coverage: Float64Array,
    similarity: Float64Array | None,
    num_terms: int,
    coverage_weight: float = COVERAGE_WEIGHT,
) -> float:
    """Compute the answer score of the best chunk, in [0, 1]. Without chunks the score is 0.

    Args:
        coverage: (n,) in [0, 1], share of the query's terms that each chunk holds (`LexicalIndex.coverage`).
        similarity: (n,) in [0, 1], similarity of each chunk's best sentence in context to the query. None if
            similarity does not count (`similarity_counts`). Then coverage has the whole weight.
        num_terms: Number of the query's terms (`LexicalIndex.num_terms`), >= 0.
        coverage_weight: Weight of coverage in a query of at most `FULL_TERMS` terms. Only benchmarks set it.

    Returns:
        The score, rounded to 1e-6. It never falls when coverage or similarity rises or a chunk is added.

    Raises:
        ShapeError: lengths of coverage and similarity differ.

    >>> import numpy as np
    >>> answer_score(np.array([1.0, 0.2]), np.array([0.4, 0.5]), 3), answer_score(np.array([0.6]), None, 2)
    (0.5575, 0.4)
    """
    if similarity is not None and similarity.shape != coverage.shape:
        raise ShapeError(f"coverage {coverage.shape} and similarity {similarity.shape} of the same chunks")
    each = coverage * num_terms / (num_terms + 1)
    if similarity is not None:
        weight = coverage_weight * min(1.0, FULL_TERMS / max(1, num_terms))
        each = weight * each + (1 - weight) * similarity
    return round(float(each.max(initial=0.0)), DECIMALS)
