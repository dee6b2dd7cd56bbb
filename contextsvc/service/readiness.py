"""State of every index, refreshed by a thread, so that callers read the last known state without waiting."""

import json
import logging
import threading

from contextsvc.errors import ContextError, CorruptIndex, UserError
from contextsvc.records.json import Json
from contextsvc.storage.library import Library

REFRESH_SECONDS = 1.0

log = logging.getLogger("contextsvc.readiness")


class Readiness:
    """States of the indexes of a library.

    Opening an index may take the time to hash gigabytes. A health probe must not wait for that, so it reads
    `states`, which the last refresh set.

    Args:
        library: The indexes.
        refresh_seconds: Time between two refreshes.
    """

    def __init__(self, library: Library, refresh_seconds: float = REFRESH_SECONDS) -> None:
        self._library, self._refresh_seconds = library, refresh_seconds
        self._states: list[Json] = []
        self._problems: dict[str, str] = {}
        self._stopping = threading.Event()
        # A daemon thread, because an index that takes minutes to open must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name="contextsvc-readiness", daemon=True)

    @property
    def states(self) -> list[Json]:
        """States that the last refresh found, sorted by name of the index; empty before the first refresh."""
        return self._states

    def start(self) -> None:
        """Check every index once, then start the thread that checks regularly.

        Raises:
            RuntimeError: the thread was started before (a defect of the caller's code).
        """
        self.refresh()
        self._thread.start()

    def stop(self) -> None:
        """Stop the regular checks. This method does not wait for a check that is already running."""
        self._stopping.set()

    def refresh(self) -> None:
        """Check every index now."""
        found = [_state(self._library, name) for name in self._library.names()]
        problems = {state["name"]: str(error) for state, error in found if error is not None}
        for name, why in problems.items():
            if self._problems.get(name) != why:
                line = {"event": "index_unusable", "index": name, "why": why}
                log.error(json.dumps(line, sort_keys=True))
        self._states, self._problems = [state for state, _ in found], problems

    def _run(self) -> None:
        while not self._stopping.wait(self._refresh_seconds):
            try:
                self.refresh()
            except Exception:  # one failed check must not end the regular checks
                log.exception("the indexes could not be looked at")


def index_states(library: Library) -> list[Json]:
    """Return every index with its state, sorted by name. Indexes that are not open are opened.

    - `ready`: the current generation (published version) serves.
    - `degraded`: the current generation is damaged, and an older one serves. `reason` says so.
    - `unusable`: no generation serves. `reason` says why, without details that callers must not see.
    """
    return [_state(library, name)[0] for name in library.names()]


def _state(library: Library, name: str) -> tuple[Json, ContextError | None]:
    """Return the state of an index, and the error that makes the index unusable (None if it serves)."""
    try:
        index = library.get(name)
    except (CorruptIndex, UserError) as error:
        return {"name": name, "state": "unusable", "reason": error.public_text}, error
    kept = ("name", "generation", "num_documents", "num_chunks", "built_at")
    view = {key: getattr(index.manifest, key) for key in kept}
    if index.instead_of:
        reason = (
            f"the current generation is damaged, {index.generation} serves in its place; the service's log "
            "names the files"
        )
        return {**view, "state": "degraded", "reason": reason}, None
    return {**view, "state": "ready"}, None
