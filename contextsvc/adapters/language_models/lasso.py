"""Fit: contributions of units from outcomes of masks, by a sparse linear model."""

import numpy as np
from sklearn.linear_model import Lasso

from contextsvc.records.arrays import BoolArray, Float64Array

ALPHA = 0.01
"""Weight of the penalty, ContextCite's. A contribution shrinks by about ALPHA over the variance of a
mask's column, .04 nats; decision 0005 has others beside it."""


def lasso_contributions(masks: BoolArray, values: Float64Array) -> Float64Array:
    """Weights of a linear model of the outcomes with an L1 penalty, one a column: (num_units,).

    Args:
        masks: (num_masks, num_units).
        values: (num_masks,), finite.

    Source: Cohen-Wang, Shah, Georgiev, Madry, ContextCite, 2024, section 3. https://arxiv.org/abs/2409.00729
    """
    if not masks.shape[1] or not len(masks):
        return np.zeros(masks.shape[1])
    fitted = Lasso(alpha=ALPHA, max_iter=10_000).fit(masks.astype(np.float64), values)
    weights: Float64Array = np.asarray(fitted.coef_, dtype=np.float64)
    return weights
