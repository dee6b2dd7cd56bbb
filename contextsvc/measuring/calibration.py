"""Placebo effects, stored beside the generation they were drawn in, and those that ship with the package."""

import json
from collections.abc import Sequence
from functools import lru_cache
from importlib import resources
from pathlib import Path

from contextsvc.errors import ShapeError
from contextsvc.measuring.records import Calibration, TargetKind, Threshold
from contextsvc.measuring.verdicts import threshold_from
from contextsvc.records.fingerprints import digest
from contextsvc.records.json import decode, encode
from contextsvc.storage.generation import CALIBRATIONS, companions_of, write_companion

PACKAGED = "calibrations"


def store_calibration(folder: Path, generation: str, calibration: Calibration) -> Path:
    """Store a calibration for a generation; it replaces one of the same reader, method and kind of target.

    Threads and processes may store at the same time: the last one wins, and readers find a whole file.

    Args:
        folder: The folder of the generation, ROOT/NAME/generations/ID.
        generation: Its id.
        calibration: The placebo effects that were drawn in it.

    Returns:
        The file.

    Raises:
        WriteError: the file could not be written; nothing is left behind.
    """
    path = _path(folder, generation, calibration.reader, calibration.method, calibration.target_kind)
    write_companion(path, encode(calibration))
    return path


def thresholds_for(
    folder: Path, generation: str, reader: str, method: str, packaged: Sequence[Calibration], seed: int
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


def _fits(calibration: Calibration, reader: str, method: str) -> bool:
    def identity(fingerprint: str) -> tuple[str, ...]:
        # name:weights:precision:mode:layout:answer tokens
        parts = fingerprint.split(":")
        return tuple(part for number, part in enumerate(parts) if number not in (2, 5) or len(parts) != 6)

    return calibration.method == method and identity(calibration.reader) == identity(reader)


def _stored(path: Path) -> Calibration | None:
    try:
        return decode(Calibration, path.read_bytes())
    except (OSError, ShapeError):
        return None


def _path(folder: Path, generation: str, reader: str, method: str, kind: TargetKind) -> Path:
    name = f"{kind}-{digest(reader, method)[:16]}.json"
    return companions_of(folder, CALIBRATIONS) / generation / name
