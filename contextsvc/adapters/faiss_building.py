"""Writing a vector index and measuring what it misses, when a generation is sealed.

`vectors.json` says how the chunk vectors are searched; `vectors.faiss` is there where that is not exactly.
An exact search reads the stored vectors themselves.
"""

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from contextsvc.adapters.faiss import ApproximateSearch, FaissVectorIndex, is_approximate, read_approximate
from contextsvc.adapters.faiss_scan import Float16Array
from contextsvc.errors import CorruptIndex, SettingError, ShapeError
from contextsvc.records import Float32Array, Ranking

ABOUT = "vectors.json"
APPROXIMATE = "vectors.faiss"
LEAST_EFFORT = 8
DEPTHS = (10, 100)
"""Recall is measured at both: 10 is what people compare, 100 is what a request takes by default."""
_BLOCK_ROWS = 8192
_TRAINING_ROWS_A_LIST = 64
_library: Any = faiss


@dataclass(frozen=True, slots=True)
class VectorPlan:
    """How vectors are to be searched; the meaning of each is in `settings.Settings`."""

    exact_up_to: int
    factory: str
    recall: float


def write_vector_index(
    folder: Path, vectors: Float16Array, held_out: Float32Array, plan: VectorPlan
) -> dict[str, object]:
    """Write the index of (n, dim) vectors into a folder; the same vectors and plan give the same bytes.

    An approximate index tries as hard as it must for `plan.recall` at 10 over the held-out queries, in
    steps of two; if nothing suffices it tries as hard as it can, and the figure says so.

    Args:
        folder: Where `vectors.json` and `vectors.faiss` go. The caller syncs them.
        vectors: float16, C-contiguous; n = 0 is legal.
        held_out: (m, dim) queries that no chunk is made to match; of m = 0 it tries as hard as it can.
        plan: Chosen by settings.

    Returns:
        What the manifest says: `vector_index`, and of an approximate one `recall_at_10` and `recall_at_100`.

    Raises:
        ShapeError: not (n, dim), or a value is not finite.
        SettingError: FAISS knows no such factory string, or its index is of another kind.
    """
    if vectors.ndim != 2:
        raise ShapeError(f"vectors are (n, dim), found shape {vectors.shape}")
    longest = _longest(vectors)
    about: dict[str, Any] = {
        "shape": list(vectors.shape),
        "longest": longest,
        "factory": "",
        "effort": 0,
        "num_bytes": 0,
    }
    said: dict[str, object] = {"vector_index": "exact"}
    if len(vectors) > plan.exact_up_to:
        factory = plan.factory.replace("{lists}", str(max(1, round(2 * math.sqrt(len(vectors))))))
        # Serialised, not written by FAISS: its own writer leaves a partial file on a full disk.
        index = _trained(factory, vectors)
        num_bytes = (folder / APPROXIMATE).write_bytes(_library.serialize_index(index))
        effort, recalls = _tuned(FaissVectorIndex(vectors, longest), index, vectors, longest, held_out, plan)
        about |= {"factory": factory, "effort": effort, "num_bytes": num_bytes}
        said = {"vector_index": f"{factory} at effort {effort}", **recalls}
    (folder / ABOUT).write_text(json.dumps(about, sort_keys=True), "utf-8")
    return said


def open_vector_index(folder: Path, vectors: Float16Array, name: str = "vectors") -> FaissVectorIndex:
    """What `write_vector_index` wrote, in a folder whose files were verified; reads no vector.

    Args:
        folder: Its folder.
        vectors: What it was given.
        name: The index's name, for the error.

    Raises:
        CorruptIndex: it cannot be read, or is no index of these vectors.
    """
    try:
        about = json.loads((folder / ABOUT).read_bytes())
        shape, longest, effort = tuple(about["shape"]), float(about["longest"]), int(about["effort"])
        exact, num_bytes = about["factory"] == "", int(about["num_bytes"])
        # FAISS maps a shortened file without complaint and would read past its end.
        if not exact and (folder / APPROXIMATE).stat().st_size != num_bytes:
            raise ValueError(f"{APPROXIMATE} has not the {num_bytes} bytes it was written with")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CorruptIndex(name, [f"{ABOUT}: {error}"]) from error
    if shape != vectors.shape:
        raise CorruptIndex(name, [f"{ABOUT} is about vectors of {shape}, found {vectors.shape}"])
    approximate = None if exact else read_approximate(folder / APPROXIMATE, shape, effort, name)
    return FaissVectorIndex(vectors, longest, approximate)


def recall(found: list[Ranking], exact: list[Ranking]) -> float:
    """Mean share of the exact results that were found; 1 without queries.

    By score, not by id: what is as near as the last exact result is as right as that one.
    """
    shares = [
        float((one.scores >= best.scores[-1]).sum()) / len(best.scores)
        for one, best in zip(found, exact, strict=True)
        if len(best.scores)
    ]
    return float(np.mean(shares)) if shares else 1.0


def _trained(factory: str, vectors: Float16Array) -> Any:
    try:
        index = _library.index_factory(vectors.shape[1], factory, _library.METRIC_INNER_PRODUCT)
    except RuntimeError as error:
        raise SettingError(f"CONTEXTSVC_APPROXIMATE_INDEX {factory!r} is no FAISS index: {error}") from error
    if not is_approximate(index):
        raise SettingError(
            f"CONTEXTSVC_APPROXIMATE_INDEX {factory!r} is a {type(index).__name__}; expected inverted lists "
            "or a graph of neighbours, such as IVF{lists},SQ8 or HNSW32,SQ8"
        )
    num_rows = len(vectors)
    if isinstance(index, _library.IndexIVF):
        index.cp.min_points_per_centroid = 1  # a warning on standard error otherwise
        index.cp.max_points_per_centroid = _TRAINING_ROWS_A_LIST
        num_rows = max(1, min(num_rows, _TRAINING_ROWS_A_LIST * index.nlist))
    # Evenly spaced: a corpus is in order of its documents, so that its first rows are about few things.
    chosen = np.linspace(0, len(vectors) - 1, num_rows).round().astype(np.int64)
    try:
        with _one_thread():
            index.train(np.ascontiguousarray(vectors[chosen], dtype=np.float32))
            for start in range(0, len(vectors), _BLOCK_ROWS):
                index.add(np.ascontiguousarray(vectors[start : start + _BLOCK_ROWS], dtype=np.float32))
    except RuntimeError as error:
        raise SettingError(
            f"CONTEXTSVC_APPROXIMATE_INDEX {factory!r} does not fit {len(vectors)} chunks: {error}"
        ) from error
    return index


def _tuned(
    exact: FaissVectorIndex,
    index: Any,
    vectors: Float16Array,
    longest: float,
    held_out: Float32Array,
    plan: VectorPlan,
) -> tuple[int, Mapping[str, float]]:
    """The least effort that suffices, and the recall it has at each depth."""
    most = ApproximateSearch(index, 0).most_effort
    if len(held_out) == 0:
        return most, {}
    deepest = exact.search(held_out, max(DEPTHS))
    best = {k: [Ranking(found.ids[:k], found.scores[:k]) for found in deepest] for k in DEPTHS}
    effort = min(LEAST_EFFORT, most)
    while True:
        search = ApproximateSearch(index, effort)
        tried = FaissVectorIndex(vectors, longest, search, few=0)
        if effort >= most or recall(tried.search(held_out, DEPTHS[0]), best[DEPTHS[0]]) >= plan.recall:
            break
        effort = min(2 * effort, most)
    reached = {k: recall(tried.search(held_out, k), best[k]) for k in DEPTHS}
    return effort, {f"recall_at_{k}": round(share, 4) for k, share in reached.items()}


def _longest(vectors: Float16Array) -> float:
    longest = 0.0
    for start in range(0, len(vectors), _BLOCK_ROWS):
        block = vectors[start : start + _BLOCK_ROWS].astype(np.float32)
        if not np.isfinite(block).all():
            raise ShapeError("a vector holds a value that is not finite")
        longest = max(longest, float(np.linalg.norm(block, axis=1).max()))
    return longest


@contextmanager
def _one_thread() -> Iterator[None]:
    # A graph comes out otherwise each time when several threads build it, sums may when several add.
    before = _library.omp_get_max_threads()
    _library.omp_set_num_threads(1)
    try:
        yield
    finally:
        _library.omp_set_num_threads(before)
