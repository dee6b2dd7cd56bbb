"""Write the vector index of a generation (one published version of an index), and open it.

`vectors.json` describes how the chunk vectors are searched. `vectors.faiss` exists only for an approximate
search, because an exact search reads the stored vectors. An update reuses the trained lists of the previous
generation while their measured recall is sufficient (see `recall`).
"""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import faiss
import numpy as np

from contextsvc.adapters.search.faiss.index import FaissVectorIndex, read_approximate
from contextsvc.adapters.search.faiss.lists import (
    can_replace_vectors,
    factory_for,
    replace_vectors,
    train_index,
)
from contextsvc.adapters.search.faiss.recall import Measurement, RecallTuner, TunedEffort
from contextsvc.adapters.search.faiss.scan import Float16Array
from contextsvc.errors import CorruptIndex, ShapeError
from contextsvc.records.arrays import Float32Array, Int64Array

ABOUT = "vectors.json"
APPROXIMATE = "vectors.faiss"
MIN_EFFORT = 8
MAX_GROWTH = 1.5
"""Lists are trained again if the number of vectors n grew or shrank by more than this factor.

The growth is counted since the last training. The reason is that the number of lists, 2 sqrt(n), depends on
n.
"""
MAX_EFFORT_GROWTH = 2
"""Lists are trained again if the search effort must grow by more than this factor.

The growth is counted since the last training. One doubling is accepted, because over 200 queries a recall
near the target falls on either side by chance.
"""
_BLOCK_ROWS = 8192
_library: Any = faiss


@dataclass(frozen=True, slots=True)
class VectorPlan:
    """Settings of the vector search; see `settings.Settings` for their meaning.

    Attributes:
        exact_up_to: Largest number of vectors that are searched exactly.
        factory: FAISS factory string for larger indexes; `{lists}` becomes 2 sqrt(n).
        recall: Target recall at 10, 0 to 1.
    """

    exact_up_to: int
    factory: str
    recall: float


@dataclass(frozen=True, slots=True)
class PreviousVectors:
    """The previous generation (published version of an index), whose files were verified.

    Attributes:
        folder: Folder of the previous generation; the folder's name is the generation's id.
        rows: For each vector to be indexed, its row in the previous generation, or -1 for a new vector: (n,).
            No row occurs twice.
    """

    folder: Path
    rows: Int64Array


@dataclass(frozen=True, slots=True)
class Training:
    """Origin of a trained index, stored in `vectors.json` for later generations that reuse the index.

    Attributes:
        generation: Id of the generation (one published version of an index) that trained the index. The id is
            empty in the record that this generation itself stores.
        num_vectors: Number of vectors at the training.
        effort: Search effort that reached the target recall at the training.
    """

    generation: str
    num_vectors: int
    effort: int

    @property
    def description(self) -> str:
        """Text about the training for the manifest."""
        return f"{self.generation or 'this generation'}, from {self.num_vectors} chunks"


class _BuiltIndex(NamedTuple):
    index: Any
    factory: str
    tuned: TunedEffort
    training: Training


def write_vector_index(
    folder: Path,
    vectors: Float16Array,
    held_out: Float32Array,
    plan: VectorPlan,
    previous: PreviousVectors | None = None,
) -> dict[str, object]:
    """Write the index of vectors into a folder. The same arguments give the same bytes.

    The search effort of an approximate index (nprobe or efSearch) is doubled until recall at 10 over the
    held-out queries reaches `plan.recall`. If no effort reaches this target, the largest effort is used and
    the measured recall is lower.

    Args:
        folder: Folder for `vectors.json` and `vectors.faiss`. The caller syncs the files to disk.
        vectors: Vectors to index: (n, dim) float16, C-contiguous. n = 0 is allowed.
        held_out: Queries that equal no chunk vector: (m, dim). With m = 0 the largest effort is used.
        plan: Settings of the search.
        previous: Previous generation (published version of the index) whose trained lists may be reused,
            within `MAX_GROWTH` and `MAX_EFFORT_GROWTH`. None means that lists are trained.

    Returns:
        Entries of the manifest. The entry `vector_index` always exists. An approximate index also has
        `vector_index_learned_in`, `recall_measured_in`, `recall_at_10` and `recall_at_100`.

    Raises:
        ShapeError: vectors are not (n, dim), or a value is not finite.
        SettingError: the factory string is unknown to FAISS or makes an index of another kind.
    """
    if vectors.ndim != 2:
        raise ShapeError(f"vectors have shape {vectors.shape}, expected (n, dim)")
    is_exact = len(vectors) <= plan.exact_up_to
    max_norm = _max_norm(vectors) if is_exact or previous is None else _upper_bound(vectors, previous)
    about: dict[str, Any] = {
        "shape": list(vectors.shape),
        "longest": max_norm,
        "factory": "",
        "effort": 0,
        "num_bytes": 0,
    }
    described: dict[str, object] = {"vector_index": "exact"}
    if not is_exact:
        tuner = RecallTuner(vectors, max_norm, held_out, plan.recall)
        made = _reuse(previous, vectors, tuner, plan) if previous else None
        made = made or _train(vectors, tuner, plan)
        # The index is serialised in memory first, because FAISS would leave a partial file on a full disk.
        num_bytes = (folder / APPROXIMATE).write_bytes(_library.serialize_index(made.index))
        about |= {"factory": made.factory, "effort": made.tuned.effort, "num_bytes": num_bytes}
        measured = made.tuned.measured
        about |= {"training": asdict(made.training), "measured": asdict(measured)}
        described = {"vector_index": f"{made.factory} at effort {made.tuned.effort}", **measured.entries}
        described["vector_index_learned_in"] = made.training.description
    (folder / ABOUT).write_text(json.dumps(about, sort_keys=True), "utf-8")
    return described


def open_vector_index(folder: Path, vectors: Float16Array, name: str = "vectors") -> FaissVectorIndex:
    """Open an index that `write_vector_index` wrote. No vector is read.

    Args:
        folder: Folder of the index, whose files were verified.
        vectors: The vectors that were given to `write_vector_index`.
        name: Name of the index, used in the error.

    Raises:
        CorruptIndex: the files cannot be read or belong to other vectors.
    """
    try:
        about = json.loads((folder / ABOUT).read_bytes())
        shape, max_norm, effort = tuple(about["shape"]), float(about["longest"]), int(about["effort"])
        exact, num_bytes = about["factory"] == "", int(about["num_bytes"])
        # FAISS would map a truncated file without an error and then read past its end.
        if not exact and (folder / APPROXIMATE).stat().st_size != num_bytes:
            raise ValueError(f"{APPROXIMATE} has another size than the expected {num_bytes} bytes")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CorruptIndex(name, [f"{ABOUT}: {error}"]) from error
    if shape != vectors.shape:
        raise CorruptIndex(name, [f"{ABOUT} describes vectors of shape {shape}, found {vectors.shape}"])
    approximate = None if exact else read_approximate(folder / APPROXIMATE, shape, effort, name)
    return FaissVectorIndex(vectors, max_norm, approximate)


def _train(vectors: Float16Array, tuner: RecallTuner, plan: VectorPlan) -> _BuiltIndex:
    factory = factory_for(plan.factory, len(vectors))
    index = train_index(factory, vectors)
    tuned = tuner.tune(index, MIN_EFFORT)
    return _BuiltIndex(index, factory, tuned, Training("", len(vectors), tuned.effort))


def _reuse(
    previous: PreviousVectors, vectors: Float16Array, tuner: RecallTuner, plan: VectorPlan
) -> _BuiltIndex | None:
    """Return the previous generation's index filled with these vectors, or None if it cannot be reused."""
    about = _read_about(previous.folder)
    try:
        training, measured = Training(**about["training"]), Measurement(**about.get("measured", {}))
        shape = int(about["shape"][0]), vectors.shape[1]
        path, effort = previous.folder / APPROXIMATE, int(about["effort"])
        index = read_approximate(path, shape, effort, previous.folder.name, mapped=False).index
    except (KeyError, TypeError, ValueError, CorruptIndex):
        return None
    growth = len(vectors) / training.num_vectors
    suits = about["factory"] == factory_for(plan.factory, training.num_vectors)
    if not suits or not 1 / MAX_GROWTH <= growth <= MAX_GROWTH or not can_replace_vectors(index):
        return None
    replace_vectors(index, vectors, previous.rows)
    measured = measured.after(previous.folder.name, shape[0], previous.rows)
    if measured.still_holds(len(vectors), plan.recall):
        tuned = TunedEffort(effort, measured, True)
    else:
        tuned = tuner.tune(index, effort, MAX_EFFORT_GROWTH * training.effort)
    since = replace(training, generation=training.generation or previous.folder.name)
    return _BuiltIndex(index, about["factory"], tuned, since) if tuned.suffices else None


def _read_about(folder: Path) -> dict[str, Any]:
    # The files were verified. So a file that cannot be read was written by another version of this package,
    # and the lists are trained again.
    try:
        about = json.loads((folder / ABOUT).read_bytes())
    except (OSError, ValueError):
        return {}
    return about if isinstance(about, dict) else {}


def _max_norm(vectors: Float16Array) -> float:
    """Return the largest Euclidean norm of a vector.

    Raises:
        ShapeError: a value is not finite.
    """
    max_norm = 0.0
    for start in range(0, len(vectors), _BLOCK_ROWS):
        block = vectors[start : start + _BLOCK_ROWS].astype(np.float32)
        if not np.isfinite(block).all():
            raise ShapeError("a vector holds NaN or infinity; expected finite values")
        max_norm = max(max_norm, float(np.linalg.norm(block, axis=1).max()))
    return max_norm


def _upper_bound(vectors: Float16Array, previous: PreviousVectors) -> float:
    """Return an upper bound of all norms, without reading the vectors kept from the previous generation."""
    known = _read_about(previous.folder).get("longest")
    if not isinstance(known, float):
        return _max_norm(vectors)
    return max(known, _max_norm(vectors[np.flatnonzero(previous.rows < 0)]))
