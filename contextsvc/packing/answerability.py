"""Answer score of a query: whether any chunk that was found answers the query.

The score of a chunk only ranks it among the chunks that were found. Its term signal is relative to the best
candidate, so the best candidate always has a full term signal, however few of the query's terms it holds. The
answer score uses absolute values instead. Coverage is the share of the query's terms that a chunk holds.
Similarity is that of the chunk's best sentence in context to the query. The best chunk decides:

    score = max over chunks of COVERAGE_WEIGHT * coverage + (1 - COVERAGE_WEIGHT) * similarity

docs/decisions/0013-answerable.md names the alternatives that were tried, and the source of the numbers.
"""

from contextsvc.errors import ShapeError
from contextsvc.records.arrays import Float64Array
from contextsvc.records.fingerprints import Fingerprint

COVERAGE_WEIGHT = 0.35
"""Weight of coverage in the answer score. It equals the weight of terms in a chunk's score. On the tune half
of SQuAD's articles, the area under ROC differs by less than .002 for weights from .3 to .5 (rows `as shipped:
area under ROC` and `weight of coverage ...` of `python -m benchmarks.answerable --part tune`)."""

THRESHOLD = 0.48
"""Default of `CONTEXTSVC_ANSWERABLE`. It is the greatest number with two decimals below which at most 5 % of
the answerable questions of the tune half lie (row `greatest threshold that flags at most 5 % of the
answerable`)."""

EMBEDDER = "53aa51172d14"
"""Hash of the weights of all-MiniLM-L6-v2, as in an embedder's fingerprint. Cosines of other models have
other ranges, so with other models coverage alone decides."""

DECIMALS = 6
"""Number of decimals of the answer score, as of the scores of chunks."""


def knows_cosines_of(embedder: Fingerprint) -> bool:
    """Return whether `COVERAGE_WEIGHT` and `THRESHOLD` were chosen with this embedder, in any precision.

    >>> [knows_cosines_of(Fingerprint(name="m", weights=w)) for w in ("53aa51172d14", "0123456789ab")]
    [True, False]
    """
    return embedder.weights == EMBEDDER


def answer_score(coverage: Float64Array, similarity: Float64Array | None) -> float:
    """Compute the answer score of the best chunk, in [0, 1]. Without chunks the score is 0.

    Args:
        coverage: (n,) in [0, 1], share of the query's terms that each chunk holds (`LexicalIndex.coverage`).
        similarity: (n,) in [0, 1], similarity of each chunk's best sentence in context to the query. None if
            the cosines of this embedder are not calibrated. Then coverage alone counts.

    Returns:
        The score, rounded to 1e-6. It never falls when coverage or similarity rises or a chunk is added.

    Raises:
        ShapeError: lengths of coverage and similarity differ.

    >>> import numpy as np
    >>> answer_score(np.array([1.0, 0.2]), np.array([0.4, 0.5])), answer_score(np.array([0.6]), None)
    (0.61, 0.6)
    """
    if similarity is not None and similarity.shape != coverage.shape:
        raise ShapeError(f"coverage {coverage.shape} and similarity {similarity.shape} of the same chunks")
    each = coverage if similarity is None else COVERAGE_WEIGHT * coverage + (1 - COVERAGE_WEIGHT) * similarity
    return round(float(each.max(initial=0.0)), DECIMALS)
