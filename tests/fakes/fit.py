"""A fit whose numbers a person can work out."""

import numpy as np

from contextsvc.records.arrays import BoolArray, Float64Array


def least_squares(masks: BoolArray, values: Float64Array) -> Float64Array:
    """Ordinary least squares with an intercept: exact if the outcome is a sum over the kept columns.

    That holds for the fake reader if its target is in one column only.
    """
    design = np.column_stack([np.ones(len(masks)), masks])
    weights = np.linalg.lstsq(design, values, rcond=None)[0]
    return np.asarray(weights[1:], dtype=np.float64)
