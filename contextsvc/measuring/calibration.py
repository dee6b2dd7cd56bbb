"""Placebo effects, stored beside the generation they were drawn in, and those that ship with the package."""

import json
import os
from collections.abc import Sequence
from functools import lru_cache
from importlib import resources
from pathlib import Path

from contextsvc.errors import ShapeError
from contextsvc.measuring.records import Calibration, TargetKind, Threshold
from contextsvc.measuring.verdicts import threshold_from
from contextsvc.records.fingerprints import Fingerprint, digest
from contextsvc.records.json import decode, encode
from contextsvc.storage.generation import write_synced

PACKAGED = "calibrations"


def store_calibration(folder: Path, generation: str, calibration: Calibration) -> Path:
    """Keep it for this generation, replacing one of the same reader, method and kind at once or not at all.

    Args:
        folder: The generation's own, ROOT/NAME/generations/ID.
        generation: Its id.
        calibration: What was drawn in it.
    """
    path = _path(folder, generation, calibration.reader, calibration.method, calibration.target_kind)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}.tmp")
    write_synced(partial, encode(calibration))
    partial.replace(path)
    return path


def thresholds_for(
    folder: Path,
    generation: str,
    reader: Fingerprint,
    method: str,
    packaged: Sequence[Calibration],
    seed: int,
) -> dict[TargetKind, Threshold]:
    """The threshold of each kind of target: drawn in this generation, else the one that ships, else none.

    A reader borrows nothing: name, weights, way of scoring and prompt layout are those of the
    calibration. Precision and answer length may be others: they are the machine's and the caller's.
    """
    kinds: tuple[TargetKind, ...] = ("response", "answer")
    found: dict[TargetKind, Threshold] = {}
    for kind in kinds:
        own = _stored(_path(folder, generation, reader, method, kind))
        if own is not None:
            found[kind] = _threshold(own, True, seed)
            continue
        for calibration in packaged:
            if calibration.target_kind == kind and _fits(calibration, reader, method):
                found[kind] = _threshold(calibration, False, seed)
    return found


def packaged_calibrations() -> tuple[Calibration, ...]:
    """Those that ship with the package, by file name."""
    folder = resources.files("contextsvc.measuring").joinpath(PACKAGED)
    files = sorted((f for f in folder.iterdir() if f.name.endswith(".json")), key=lambda f: f.name)
    return tuple(decode(Calibration, json.dumps(json.loads(f.read_text("utf-8"))).encode()) for f in files)


@lru_cache(maxsize=256)
def _threshold(calibration: Calibration, calibrated: bool, seed: int) -> Threshold:
    origin = calibration.origin if calibrated else f"uncalibrated: {calibration.origin}"
    return threshold_from(calibration.placebo_effects, origin, seed, calibrated)


def _fits(calibration: Calibration, reader: Fingerprint, method: str) -> bool:
    return calibration.method == method and calibration.reader.is_same_model(reader)


def _stored(path: Path) -> Calibration | None:
    try:
        return decode(Calibration, path.read_bytes())
    except (OSError, ShapeError):
        return None


def _path(folder: Path, generation: str, reader: Fingerprint, method: str, kind: TargetKind) -> Path:
    name = f"{kind}-{digest(str(reader), method)[:16]}.json"
    return folder.parent.parent / "calibrations" / generation / name
