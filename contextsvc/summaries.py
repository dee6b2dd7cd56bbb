"""A generation's last measured score, kept beside it: a generation itself is sealed."""

import os
from pathlib import Path

from contextsvc.codec import Json, decode, encode, no_utilization, summary_view
from contextsvc.errors import ShapeError
from contextsvc.generation import write_synced
from contextsvc.measurements import UtilizationSummary


def index_utilization(name: str, folder: Path, generation: str) -> Json:
    """The stored score of a generation, or null and why."""
    try:
        data = _summary_path(folder, generation).read_bytes()
        return summary_view(decode(UtilizationSummary, data))
    except FileNotFoundError:
        reason = (
            f"generation {generation} was never measured; "
            f"run: contextsvc measure --index {name} --queries FILE.jsonl --out DIR"
        )
    except (OSError, ShapeError) as error:
        reason = f"the stored score cannot be read: {error}"
    return no_utilization("index", reason)


def store_summary(folder: Path, summary: UtilizationSummary) -> None:
    """Keep a score, replacing the one before at once or not at all."""
    path = _summary_path(folder, summary.generation)
    path.parent.mkdir(exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}.tmp")
    write_synced(partial, encode(summary))
    partial.replace(path)


def _summary_path(folder: Path, generation: str) -> Path:
    # folder is ROOT/NAME/generations/ID
    return folder.parent.parent / "utilization" / f"{generation}.json"
