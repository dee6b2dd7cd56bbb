"""Estimate how much each unit contributes to an outcome, by a sparse linear model.

A unit is a chunk or a sentence that can be removed from a prompt. A mask says which units a run keeps.
"""

import numpy as np
from sklearn.linear_model import Lasso

from contextsvc.records.arrays import BoolArray, Float64Array

ALPHA = 0.01
"""Weight of the L1 penalty, the value of ContextCite.

A contribution shrinks by about .04 nats, which is ALPHA divided by the variance of its unit's column of
masks. Decision 0005 compares this value with others.
"""


def lasso_contributions(masks: BoolArray, values: Float64Array) -> Float64Array:
    """Fit a linear model with an L1 penalty and return its weights, one per unit: (num_units,).

    Args:
        masks: Which units each run keeps: (num_masks, num_units).
        values: Finite outcome of each run: (num_masks,).

    Source: Cohen-Wang, Shah, Georgiev, Madry, ContextCite, 2024, section 3. https://arxiv.org/abs/2409.00729
    """
    if not masks.shape[1] or not len(masks):
        return np.zeros(masks.shape[1])
    fitted = Lasso(alpha=ALPHA, max_iter=10_000).fit(masks.astype(np.float64), values)
    weights: Float64Array = np.asarray(fitted.coef_, dtype=np.float64)
    return weights
