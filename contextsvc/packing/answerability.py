"""Does anything that was found answer the query? One score, in the currency of the chunks' own.

A chunk's score is made to rank: its terms count as a share of the best candidate's, so that the best one has
all of them, however little that is. Here the same two signals count by themselves: what share of the query's
terms a chunk holds, and how like the query its best sentence in context is. The best chunk decides:

    score = max over chunks of LEXICAL coverage + (1 - LEXICAL) similarity

What was tried beside it, and where the numbers come from: docs/decisions/0013-answerable.md.
"""

from contextsvc.errors import ShapeError
from contextsvc.records.arrays import Float64Array
from contextsvc.records.fingerprints import Fingerprint

LEXICAL = 0.35
"""Weight of coverage, as of terms in a chunk's score: from .3 to .5 nothing differs by more than .002 of the
area under ROC on the tune half of SQuAD's articles (rows `as shipped: area under ROC` and `weight of
coverage ...` of `python -m benchmarks.answerable --part tune`)."""

THRESHOLD = 0.48
"""Ships as `CONTEXTSVC_ANSWERABLE`. The greatest of two digits below which lie at most 5 % of the answerable
questions of that half (row `greatest threshold that flags at most 5 % of the answerable`)."""

EMBEDDER = "53aa51172d14"
"""Hash of the weights of all-MiniLM-L6-v2, in an embedder's fingerprint: cosines of other models lie
elsewhere, so beside these the terms alone decide."""

DECIMALS = 6
"""Rounded as scores are."""


def knows_cosines_of(embedder: Fingerprint) -> bool:
    """Whether `LEXICAL` and `THRESHOLD` were chosen with this embedder, in whatever precision.

    >>> [knows_cosines_of(Fingerprint(name="m", weights=w)) for w in ("53aa51172d14", "0123456789ab")]
    [True, False]
    """
    return embedder.weights == EMBEDDER


def answer_score(coverage: Float64Array, similarity: Float64Array | None) -> float:
    """How well the best of some chunks bears on the query, in [0, 1]; 0 for none.

    Args:
        coverage: (n,) in [0, 1], share of the query's terms that each chunk holds (`LexicalIndex.coverage`).
        similarity: (n,) in [0, 1], of each one's best sentence in its context; None: cosines that are not
            known, terms alone count.

    Returns:
        Rounded to 1e-6; does not fall when coverage or similarity rises, or when a chunk is added.

    Raises:
        ShapeError: lengths differ.

    >>> import numpy as np
    >>> answer_score(np.array([1.0, 0.2]), np.array([0.4, 0.5])), answer_score(np.array([0.6]), None)
    (0.61, 0.6)
    """
    if similarity is not None and similarity.shape != coverage.shape:
        raise ShapeError(f"coverage {coverage.shape} and similarity {similarity.shape} of the same chunks")
    each = coverage if similarity is None else LEXICAL * coverage + (1 - LEXICAL) * similarity
    return round(float(each.max(initial=0.0)), DECIMALS)
