"""Learned second stages, each from candidates of several collections to a score of a candidate.

Every collection weighs the same, every query of a collection the same, every candidate of a query the same:
neither the largest collection nor the longest list decides. Queries whose candidates are all relevant, or
none, teach nothing and are left out.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Protocol

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from benchmarks.retrieval.metrics import by_document, ndcg
from benchmarks.second_stage.features import FEATURES, FIXED, Candidates
from contextsvc.errors import ShapeError
from contextsvc.packing.fusion import best_first, convex_fusion
from contextsvc.records.arrays import BoolArray, Float64Array

SHARES = tuple(round(0.05 * step, 2) for step in range(2, 15))
"""Weights of terms that `Weights` tries, .1 to .7; what is missing to 1 goes to the sentence."""

LINKS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
"""Weights of links that `Weights` tries."""

DECIMALS = 6
"""Scores that differ by less are ties, as in the service."""

Taught = Mapping[str, Sequence[Candidates]]
"""By name of the collection: of each of its queries."""


@dataclass(frozen=True, slots=True)
class Learned:
    """What came out of learning.

    Attributes:
        score: (n,) of a query's candidates, higher is better.
        record: What it consists of, for a row: weights by feature, where there are any.
    """

    score: Callable[[Candidates], Float64Array]
    record: Mapping[str, float]


class Learner(Protocol):
    """A way to learn."""

    def __call__(self, taught: Taught) -> Learned:
        """Learn; the same candidates give the same."""


@dataclass(frozen=True, slots=True)
class Weights:
    """The form that ships, its two free weights chosen anew: best mean over the collections of nDCG@10."""

    def __call__(self, taught: Taught) -> Learned:
        """Of equally good weights the first: least terms, then least links."""
        tried = list(product(SHARES, LINKS))
        means = [
            np.mean([np.mean(values(found, _fused(*pair))) for found in taught.values()]) for pair in tried
        ]
        share, links = tried[int(np.argmax(np.round(means, DECIMALS)))]
        return Learned(_fused(share, links), {"terms": share, "sentence": 1 - share, "links": links})


@dataclass(frozen=True, slots=True)
class Logistic:
    """Logistic regression, L2 penalty of 1 on standardised features.

    Attributes:
        names: Of `features.COLUMNS`.
        centred: Features less their mean over the query's candidates.
    """

    names: tuple[str, ...]
    centred: bool = False

    def __call__(self, taught: Taught) -> Learned:
        """The linear score, without the intercept, which ranks nothing; recorded are weights a deviation."""
        features, relevant, weights = examples(taught, self.names, self.centred)
        deviations = np.maximum(features.std(axis=0), 1e-9)
        standard = (features - features.mean(axis=0)) / deviations
        # To the end: where the usual solver stops, the last digit of a sum moves a ranking.
        model = LogisticRegression(solver="newton-cholesky", tol=1e-8).fit(standard, relevant, weights)
        found = np.asarray(model.coef_[0], dtype=np.float64)
        linear, record = found / deviations, dict(zip(self.names, found.round(4).tolist(), strict=True))
        return Learned(lambda one: one.columns(self.names) @ linear, record)


@dataclass(frozen=True, slots=True)
class Trees:
    """A hundred boosted trees of at most eight leaves; attributes as of `Logistic`."""

    names: tuple[str, ...]
    seed: int
    centred: bool = False

    def __call__(self, taught: Taught) -> Learned:
        """The log-odds."""
        model = HistGradientBoostingClassifier(
            max_iter=100, max_leaf_nodes=8, learning_rate=0.05, l2_regularization=1.0, min_samples_leaf=50,
            early_stopping=False, random_state=self.seed,
        ).fit(*examples(taught, self.names, self.centred))  # fmt: skip
        return Learned(
            lambda one: np.asarray(model.decision_function(_read(one, self.names, self.centred))), {}
        )


def examples(
    taught: Taught, names: Sequence[str], centred: bool
) -> tuple[Float64Array, BoolArray, Float64Array]:
    """(n, len(names)) features, (n,) whether relevant, (n,) weights with a mean of 1.

    Raises:
        ShapeError: no query has both relevant and other candidates.
    """
    features, relevant, weights = [], [], []
    for found in taught.values():
        useful = [one for one in found if 0 < one.relevant.sum() < len(one.ids)]
        for one in useful:
            features.append(_read(one, names, centred))
            relevant.append(one.relevant)
            weights.append(np.full(len(one.ids), 1 / len(one.ids) / len(useful)))
    if not features:
        raise ShapeError("nothing to learn from: no query has both relevant and other candidates")
    weight = np.concatenate(weights)
    return np.concatenate(features), np.concatenate(relevant), weight / weight.mean()


def values(found: Sequence[Candidates], score: Callable[[Candidates], Float64Array]) -> list[float]:
    """nDCG@10 of each query's candidates by a score, each document where its best chunk is, ties by id."""
    ranked = [(one, best_first(np.round(score(one), DECIMALS), one.ids)) for one in found]
    return [ndcg(by_document([one.documents[r] for r in rows]), one.query.gains) for one, rows in ranked]


def fixed_score(one: Candidates) -> Float64Array:
    """What the service ranks by."""
    return one.columns([FIXED])[:, 0]


def best_score(one: Candidates) -> Float64Array:
    """What no ranking of these candidates can be better than: the grades themselves."""
    return np.array([one.query.gains.get(document, 0) for document in one.documents], dtype=np.float64)


def _fused(share: float, links: float) -> Callable[[Candidates], Float64Array]:
    weights = [share, 1 - share, links]
    return lambda one: convex_fusion(list(one.columns(SIGNALS).T), weights)


def _read(one: Candidates, names: Sequence[str], centred: bool) -> Float64Array:
    features = one.columns(names)
    return features - features.mean(axis=0) if centred else features


SEED = 23
SIGNALS = ("terms", "sentence", "links")
"""What the score that ships is made of."""

LEARNERS: Mapping[str, Learner] = {
    "weights-anew": Weights(),
    "logistic-signals": Logistic(SIGNALS),
    "logistic-fixed-score": Logistic((FIXED, "coverage", "length")),
    "logistic-all": Logistic(FEATURES),
    "logistic-all-centred": Logistic(FEATURES, centred=True),
    "trees-all": Trees(FEATURES, SEED),
    "trees-all-centred": Trees(FEATURES, SEED, centred=True),
}
"""What is tried. Of the features taken as they are, `centred` takes those less their means over the query."""
