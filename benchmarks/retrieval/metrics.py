"""How good a ranking of documents is; the figures are those of trec_eval (a test compares them)."""

import math
from collections.abc import Mapping, Sequence


def ndcg(ranking: Sequence[str], gains: Mapping[str, int], depth: int = 10) -> float:
    """Normalised discounted cumulative gain of the first `depth` documents, in [0, 1].

    Args:
        ranking: Document ids, best first, each once.
        gains: Grade of each relevant document, above 0; at least one.
        depth: How many are looked at.

    Source: Järvelin and Kekäläinen, TOIS 20(4), 2002; grade / log2(rank + 1), as trec_eval's ndcg_cut.
    """
    found = _discounted([gains.get(doc_id, 0) for doc_id in ranking[:depth]])
    return found / _discounted(sorted(gains.values(), reverse=True)[:depth])


def recall(ranking: Sequence[str], gains: Mapping[str, int], depth: int) -> float:
    """Share of the relevant documents among the first `depth`."""
    return len(gains.keys() & set(ranking[:depth])) / len(gains)


def reciprocal_rank(ranking: Sequence[str], gains: Mapping[str, int]) -> float:
    """One over the rank of the first relevant document; 0 without one."""
    return next((1 / rank for rank, doc_id in enumerate(ranking, start=1) if doc_id in gains), 0.0)


def by_document(doc_ids: Sequence[str]) -> list[str]:
    """A ranking of passages as one of documents: each stands where its best passage does."""
    return list(dict.fromkeys(doc_ids))


def _discounted(gains: Sequence[int]) -> float:
    return sum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, start=1))
