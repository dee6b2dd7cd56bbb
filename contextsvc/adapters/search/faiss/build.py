"""Writing a vector index when a generation is sealed, and opening it.

`vectors.json` says how the chunk vectors are searched; `vectors.faiss` is there where that is not exactly.
An exact search reads the stored vectors themselves. An index that follows another goes on with what that one
learned, as long as that is good enough by a measurement that still stands (`faiss_measuring`).
"""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import faiss
import numpy as np

from contextsvc.adapters.search.faiss.index import FaissVectorIndex, read_approximate
from contextsvc.adapters.search.faiss.lists import can_take_over, factory_for, learned, take_over
from contextsvc.adapters.search.faiss.recall import Judge, Measurement, Tuned
from contextsvc.adapters.search.faiss.scan import Float16Array
from contextsvc.errors import CorruptIndex, ShapeError
from contextsvc.records.arrays import Float32Array, Int64Array

ABOUT = "vectors.json"
APPROXIMATE = "vectors.faiss"
LEAST_EFFORT = 8
MOST_GROWTH = 1.5
"""Of so many times the vectors that lists were learned from, or so many times fewer, they are learned anew:
there are as many as the square root of the vectors asks for."""
MOST_EFFORT_GROWTH = 2
"""Nor are lists kept that must be tried more than so many times harder than when they were learned. Once is
allowed for: over 200 questions, a recall near the one that is asked for falls to either side by chance."""
_BLOCK_ROWS = 8192
_library: Any = faiss


@dataclass(frozen=True, slots=True)
class VectorPlan:
    """How vectors are to be searched; the meaning of each is in `settings.Settings`."""

    exact_up_to: int
    factory: str
    recall: float


@dataclass(frozen=True, slots=True)
class FormerVectors:
    """A generation whose files were verified.

    Attributes:
        folder: Its folder, named by its id.
        rows: (n,), for each vector to be indexed its row there, no row twice; -1 for a new one.
    """

    folder: Path
    rows: Int64Array


@dataclass(frozen=True, slots=True)
class Training:
    """When lists, or a graph, were learned; `vectors.json` keeps it for the generations that go on with them.

    Attributes:
        generation: Id of the generation that learned; empty where it is the one that says so.
        num_vectors: What it learned from.
        effort: What sufficed then.
    """

    generation: str
    num_vectors: int
    effort: int

    @property
    def said(self) -> str:
        """For a person."""
        return f"{self.generation or 'this generation'}, from {self.num_vectors} chunks"


class _Made(NamedTuple):
    index: Any
    factory: str
    tuned: Tuned
    training: Training


def write_vector_index(
    folder: Path,
    vectors: Float16Array,
    held_out: Float32Array,
    plan: VectorPlan,
    former: FormerVectors | None = None,
) -> dict[str, object]:
    """Write the index of (n, dim) vectors into a folder; the same arguments give the same bytes.

    An approximate index tries as hard as it must for `plan.recall` at 10 over the held-out queries, in
    steps of two; if nothing suffices it tries as hard as it can, and the figure says so.

    Args:
        folder: Where `vectors.json` and `vectors.faiss` go. The caller syncs them.
        vectors: float16, C-contiguous; n = 0 is legal.
        held_out: (m, dim) queries that no chunk is made to match; of m = 0 it tries as hard as it can.
        plan: Chosen by settings.
        former: What it may go on with instead of learning anew; it does while the lists suit the number of
            vectors (`MOST_GROWTH`) and suffice (`MOST_EFFORT_GROWTH`).

    Returns:
        What the manifest says: `vector_index`, and of an approximate one `vector_index_learned_in`,
        `recall_measured_in`, `recall_at_10` and `recall_at_100`.

    Raises:
        ShapeError: not (n, dim), or a value is not finite.
        SettingError: FAISS knows no such factory string, or its index is of another kind.
    """
    if vectors.ndim != 2:
        raise ShapeError(f"vectors are (n, dim), found shape {vectors.shape}")
    is_exact = len(vectors) <= plan.exact_up_to
    longest = _longest(vectors) if is_exact or former is None else _upper_bound(vectors, former)
    about: dict[str, Any] = {
        "shape": list(vectors.shape),
        "longest": longest,
        "factory": "",
        "effort": 0,
        "num_bytes": 0,
    }
    said: dict[str, object] = {"vector_index": "exact"}
    if not is_exact:
        judge = Judge(vectors, longest, held_out, plan.recall)
        made = _taken_over(former, vectors, judge, plan) if former else None
        made = made or _learned(vectors, judge, plan)
        # Serialised, not written by FAISS: its own writer leaves a partial file on a full disk.
        num_bytes = (folder / APPROXIMATE).write_bytes(_library.serialize_index(made.index))
        about |= {"factory": made.factory, "effort": made.tuned.effort, "num_bytes": num_bytes}
        measured = made.tuned.measured
        about |= {"training": asdict(made.training), "measured": asdict(measured)}
        said = {"vector_index": f"{made.factory} at effort {made.tuned.effort}", **measured.said}
        said["vector_index_learned_in"] = made.training.said
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


def _learned(vectors: Float16Array, judge: Judge, plan: VectorPlan) -> _Made:
    factory = factory_for(plan.factory, len(vectors))
    index = learned(factory, vectors)
    tuned = judge.tuned(index, LEAST_EFFORT)
    return _Made(index, factory, tuned, Training("", len(vectors), tuned.effort))


def _taken_over(former: FormerVectors, vectors: Float16Array, judge: Judge, plan: VectorPlan) -> _Made | None:
    """The former index with these vectors; None where it does not suit them."""
    about = _former_about(former.folder)
    try:
        training, measured = Training(**about["training"]), Measurement(**about.get("measured", {}))
        shape = int(about["shape"][0]), vectors.shape[1]
        path, effort = former.folder / APPROXIMATE, int(about["effort"])
        index = read_approximate(path, shape, effort, former.folder.name, mapped=False).index
    except (KeyError, TypeError, ValueError, CorruptIndex):
        return None
    growth = len(vectors) / training.num_vectors
    suits = about["factory"] == factory_for(plan.factory, training.num_vectors)
    if not suits or not 1 / MOST_GROWTH <= growth <= MOST_GROWTH or not can_take_over(index):
        return None
    take_over(index, vectors, former.rows)
    measured = measured.after(former.folder.name, shape[0], former.rows)
    if measured.stands(len(vectors), plan.recall):
        tuned = Tuned(effort, measured, True)
    else:
        tuned = judge.tuned(index, effort, MOST_EFFORT_GROWTH * training.effort)
    since = replace(training, generation=training.generation or former.folder.name)
    return _Made(index, about["factory"], tuned, since) if tuned.suffices else None


def _former_about(folder: Path) -> dict[str, Any]:
    # Its files were verified: what cannot be read of it another version wrote, and then it is learned anew.
    try:
        about = json.loads((folder / ABOUT).read_bytes())
    except (OSError, ValueError):
        return {}
    return about if isinstance(about, dict) else {}


def _longest(vectors: Float16Array) -> float:
    longest = 0.0
    for start in range(0, len(vectors), _BLOCK_ROWS):
        block = vectors[start : start + _BLOCK_ROWS].astype(np.float32)
        if not np.isfinite(block).all():
            raise ShapeError("a vector holds a value that is not finite")
        longest = max(longest, float(np.linalg.norm(block, axis=1).max()))
    return longest


def _upper_bound(vectors: Float16Array, former: FormerVectors) -> float:
    """Of their lengths, where those that stay need not be read."""
    known = _former_about(former.folder).get("longest")
    if not isinstance(known, float):
        return _longest(vectors)
    return max(known, _longest(vectors[np.flatnonzero(former.rows < 0)]))
