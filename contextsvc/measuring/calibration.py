"""Store calibrations, and compute thresholds from them.

A calibration holds the effects of placebos (unrelated chunks put into packs as a control), measured with one
reader (the language model that measures). It is drawn in one generation (one published version of an index)
and stored beside that generation. The package ships calibrations for generations without one of their own.
"""

import json
from collections.abc import Sequence
from functools import lru_cache
from importlib import resources
from pathlib import Path

from contextsvc.errors import ShapeError
from contextsvc.measuring.records import Calibration, TargetKind, Threshold
from contextsvc.measuring.verdicts import threshold_from
from contextsvc.records.fingerprints import Fingerprint, digest
from contextsvc.records.json import decode, encode
from contextsvc.storage.generation import CALIBRATIONS, companions_of, write_companion

PACKAGED = "calibrations"


def store_calibration(folder: Path, generation: str, calibration: Calibration) -> Path:
    """Store a calibration of a generation.

    The file atomically replaces an older calibration of the same reader, method and kind of target. Threads
    and processes may store at the same time. The last one wins, and whoever reads the file finds it whole.

    Args:
        folder: Folder of the generation, ROOT/NAME/generations/ID.
        generation: Id of the generation.
        calibration: Placebo effects that were drawn in this generation.

    Returns:
        Path of the stored file. It lies outside the folder of the generation, which is never changed.

    Raises:
        WriteError: the file could not be written. No partial file is left.
    """
    path = _path(folder, generation, calibration.reader, calibration.method, calibration.target_kind)
    write_companion(path, encode(calibration))
    return path


def thresholds_for(
    folder: Path,
    generation: str,
    reader: Fingerprint,
    method: str,
    packaged: Sequence[Calibration],
    seed: int,
) -> dict[TargetKind, Threshold]:
    """Compute the threshold of each kind of target from stored or packaged calibrations.

    A calibration of this generation is preferred. Without one, the first packaged calibration that fits is
    used. It fits if it has the same method, and the same name, weights, way of scoring and prompt layout of
    the reader. Precision and answer length of the reader may differ, because they depend on the machine and
    on the caller.

    Args:
        folder: Folder of the generation, ROOT/NAME/generations/ID.
        generation: Id of the generation.
        reader: Fingerprint of the reader.
        method: `Measurer.method` of the measurer that will use the thresholds.
        packaged: Calibrations that ship with the package.
        seed: Seed of the bootstrap.

    Returns:
        Thresholds by kind of target. A kind without a calibration is missing.
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
    """Return the calibrations that ship with the package, sorted by file name."""
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
    return companions_of(folder, CALIBRATIONS) / generation / name
