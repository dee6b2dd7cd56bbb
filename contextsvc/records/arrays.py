"""Types of numpy arrays, one for each type of element."""

import numpy as np
from numpy.typing import NDArray

Float32Array = NDArray[np.float32]

Float64Array = NDArray[np.float64]

Int64Array = NDArray[np.int64]

BoolArray = NDArray[np.bool_]
