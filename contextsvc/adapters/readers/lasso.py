"""A `measuring.masks.Fit` by scikit-learn: contributions of units, estimated by a sparse linear model."""

import numpy as np
from sklearn.linear_model import Lasso

from contextsvc.records.arrays import BoolArray, Float64Array

ALPHA = 0.01
"""Weight of the L1 penalty, as in ContextCite. It shrinks a contribution by about ALPHA / variance of a mask
column, .04 nats. `benchmarks.ablation.choices` compares other values."""


def lasso_contributions(masks: BoolArray, values: Float64Array) -> Float64Array:
    """Contribution of each unit: (num_units,), the weights of a linear model with an L1 penalty.

    Args:
        masks: (num_masks, num_units), True where a unit is kept.
        values: (num_masks,) outcome under each mask, finite.

    Raises:
        ValueError: an outcome is not finite.

    Source: Cohen-Wang, Shah, Georgiev, Madry, ContextCite, 2024, section 3. https://arxiv.org/abs/2409.00729
    """
    if not masks.shape[1] or not len(masks):
        return np.zeros(masks.shape[1])
    fitted = Lasso(alpha=ALPHA, max_iter=10_000).fit(masks.astype(np.float64), values)
    weights: Float64Array = np.asarray(fitted.coef_, dtype=np.float64)
    return weights
