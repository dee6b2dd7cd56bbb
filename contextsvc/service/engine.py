"""One request from start to end: what the HTTP routes and the command line both call."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from contextsvc.errors import CorruptIndex, ShapeError, UserError
from contextsvc.measuring.measurer import Measurer
from contextsvc.measuring.minimal_pack import minimal_pack
from contextsvc.measuring.records import Target, Utilization
from contextsvc.ports import JobQueue
from contextsvc.records.json import Json, decode, encode
from contextsvc.records.packs import ContextPack
from contextsvc.records.requests import PackRequest, require_unicode
from contextsvc.service.background import BackgroundMeasuring
from contextsvc.service.caching import CachedAssembler, CachedMeasurer, CacheState
from contextsvc.service.publishing import Publisher
from contextsvc.service.slots import Slots
from contextsvc.service.views import (
    index_utilization,
    minimal_view,
    no_utilization,
    pack_view,
    utilization_view,
)
from contextsvc.settings import Settings
from contextsvc.storage.generation import Manifest
from contextsvc.storage.library import Library, LoadedIndex


@dataclass(frozen=True, slots=True)
class MeasureJob:
    """A measurement that waits."""

    pack: ContextPack
    target: Target | None


@dataclass(frozen=True, slots=True)
class Ask:
    """A request for context as it comes in; None leaves the choice to the settings."""

    index: str
    query: str
    budget_tokens: int
    max_chunks: int | None = None
    tokenizer: str | None = None
    ordering: str | None = None
    filters: Mapping[str, Any] | None = None
    measure: bool | Literal["background"] = False
    response: str | None = None
    sentences: bool = False
    explain: bool = False
    exact: bool = False
    trim: bool | None = None
    answerable_only: bool = False


class Engine:
    """The running whole.

    Packs and measurements have slots of their own: a measurement takes a second or more and keeps all
    cores busy, so one runs at a time, and packs do not queue behind it. What is to be measured in the
    background waits in `jobs` until neither packs nor measurements are at work.
    """

    def __init__(
        self,
        settings: Settings,
        library: Library,
        assembler: CachedAssembler,
        measurer: CachedMeasurer[Measurer],
        jobs: JobQueue | None = None,
        *,
        publisher: Publisher,
    ) -> None:
        self.settings, self.library = settings, library
        self.publisher = publisher
        self.assembler, self.measurer = assembler, measurer
        self.packing = Slots(settings.max_concurrent, settings.max_waiting, settings.wait_seconds)
        self.measuring = Slots(1, settings.max_waiting, settings.wait_seconds)
        self.jobs = jobs
        self.background: BackgroundMeasuring | None = None
        if jobs is not None:
            self.background = BackgroundMeasuring(jobs, self._measure_job, self._idle)

    def context(self, ask: Ask) -> Json:
        """A pack with its utilization, as callers see it."""
        watch = Stopwatch()
        request = self.request(ask)
        index = self.library.get(ask.index)
        with self.packing.take():
            pack, pack_state = self.assembler.assemble(index, request, watch.mark)
        view = pack_view(pack, ask.explain)
        cache = {"pack": pack_state}
        if ask.measure is True:
            utilization, cache["utilization"] = self.measured(
                index, pack, _response(ask.response), ask.sentences
            )
            view["utilization"] = utilization_view(utilization)
            watch.mark("measure")
        elif ask.measure == "background":
            view["utilization"] = self._queued(pack, ask.response)
        else:
            view["utilization"] = index_utilization(index.name, index.folder, index.generation)
            self._sample(pack, pack_state, ask.response)
        view["cache"] = cache
        num_seen = len(pack.chunks) + len(pack.drops)
        view["trace"] = {"num_candidates": num_seen, "seconds": watch.read()}
        return view

    def pack(self, pack_id: str) -> Json:
        """A pack made before, with its utilization if it was measured.

        Raises:
            UnknownPack: it is not kept.
        """
        pack = self.assembler.pack(pack_id)
        known = self.measurer.last(pack_id)
        if known:
            return {**pack_view(pack, explain=True), "utilization": utilization_view(known)}
        state = self.jobs.state(pack_id) if self.jobs else None
        reason = f"not measured yet; POST /v1/packs/{pack_id}/utilization measures it"
        if state:
            reason = f"{state[0]} in the background" + (f": {state[1]}" if state[1] else "")
        return {**pack_view(pack, explain=True), "utilization": no_utilization("pack", reason)}

    def utilization(
        self, pack_id: str, response: str | None, sentences: bool = False, minimize: bool = False
    ) -> Json:
        """The measured utilization of a pack made before.

        Raises:
            UnknownPack: it is not kept.
            UserError: its generation is no longer the current one.
        """
        pack = self.assembler.pack(pack_id)
        index = self._index_of(pack)
        found, state = self.measured(index, pack, _response(response), sentences)
        view = {**utilization_view(found), "cache": {"utilization": state}}
        if minimize:
            with self.measuring.take():
                count = self.assembler.count(pack.tokenizer)
                measurer = self.measurer.measurer
                minimal, smaller = minimal_pack(measurer.reader, pack, found, count, measurer.limits)
            self.assembler.keep(smaller)
            view["minimal"] = minimal_view(minimal)
        return view

    def measured(
        self, index: LoadedIndex, pack: ContextPack, target: Target | None, sentences: bool = False
    ) -> tuple[Utilization, CacheState]:
        """A pack's utilization, known or measured now, one at a time.

        Raises:
            InvalidRequest: the target cannot be measured.
            Overloaded: too many measurements wait.
        """
        known = self.measurer.known(index, pack, target, sentences)
        if known is not None:
            return known, "hit"
        with self.measuring.take():
            return self.measurer.measure(index, pack, target, sentences)

    def indexes(self) -> list[Json]:
        """Every index, briefly; a damaged one with what is wrong."""
        return [self._brief(name) for name in self.library.names()]

    def index(self, name: str) -> Json:
        """One index: its manifest and its last measured utilization."""
        index = self.library.get(name)
        return index_view(name, index.folder, index.manifest)

    def _index_of(self, pack: ContextPack) -> LoadedIndex:
        index = self.library.get(pack.index)
        if index.generation != pack.generation:
            raise UserError(
                f"pack {pack.pack_id!r} was made from generation {pack.generation}, index {pack.index!r} is "
                f"now at {index.generation}; ask for a new pack with POST /v1/context"
            )
        return index

    def _queued(self, pack: ContextPack, response: str | None) -> Json:
        if self.background is None or self.jobs is None:
            raise UserError(
                "measuring in the background is off; set CONTEXTSVC_BACKGROUND_JOBS, or ask for measure: true"
            )
        payload = encode(MeasureJob(pack, _response(response)))
        url = f"GET /v1/packs/{pack.pack_id} has it when it is done"
        state = self.jobs.state(pack.pack_id)
        if state and state[0] != "failed":
            return no_utilization("pack", f"queued before, with the response it had then; {url}")
        if not self.jobs.put(pack.pack_id, payload):
            return no_utilization("pack", "not queued: the queue is full or cannot be written")
        self.background.wake()
        return no_utilization("pack", f"queued; {url}")

    def _sample(self, pack: ContextPack, state: CacheState, response: str | None) -> None:
        # By the pack's own hash: a share of the packs without a random number in the path. A known
        # pack was drawn, or not, when it was made.
        drawn = int(pack.pack_id[:8], 16) < self.settings.measure_share * 2**32
        if drawn and state != "hit" and pack.chunks:
            self._queued(pack, response)

    def _idle(self) -> bool:
        return self.packing.idle and self.measuring.idle

    def _measure_job(self, payload: bytes) -> None:
        try:
            job = decode(MeasureJob, payload)
        except ShapeError as error:  # another version queued it: it will not get better
            raise UserError(f"{error}; ask for the measurement again") from None
        self.measured(self._index_of(job.pack), job.pack, job.target)

    def request(self, ask: Ask) -> PackRequest:
        """What is asked, with the settings where the caller left the choice."""
        s = self.settings
        filters = json.dumps(ask.filters, sort_keys=True) if ask.filters is not None else ""
        max_chunks = s.max_chunks if ask.max_chunks is None else ask.max_chunks
        trim = s.trim if ask.trim is None else ask.trim
        return PackRequest(
            index=ask.index,
            query=ask.query,
            budget_tokens=ask.budget_tokens,
            max_chunks=max_chunks,
            tokenizer=ask.tokenizer or s.tokenizer,
            ordering=ask.ordering or s.ordering,
            filters=filters,
            exact=ask.exact,
            trim=trim,
            answerable_only=ask.answerable_only,
        )

    def _brief(self, name: str) -> Json:
        try:
            index = self.library.get(name)
        except (CorruptIndex, UserError) as error:
            return {"name": name, "state": "unusable", "reason": str(error)}
        kept = ("name", "generation", "num_documents", "num_chunks", "built_at")
        view = {key: getattr(index.manifest, key) for key in kept}
        if index.instead_of:
            return {**view, "state": "degraded", "reason": index.instead_of}
        return {**view, "state": "ready"}


def _response(text: str | None) -> Target | None:
    return None if text is None else Target(require_unicode(text, "the response"), "response")


class Stopwatch:
    """Seconds between marks."""

    def __init__(self) -> None:
        self._start = self._last = time.perf_counter()
        self._seconds: dict[str, float] = {}

    def mark(self, stage: str) -> None:
        """The time since the last mark belongs to this stage."""
        now = time.perf_counter()
        self._seconds[stage] = round(now - self._last, 6)
        self._last = now

    def read(self) -> dict[str, float]:
        """Seconds a stage, and `total`."""
        return {**self._seconds, "total": round(time.perf_counter() - self._start, 6)}


def index_view(name: str, folder: Path, m: Manifest) -> Json:
    """An index as callers see it; `folder` is its generation's."""
    return {
        "name": name,
        "generation": m.generation,
        "embedder": m.embedder,
        "dim": m.dim,
        "num_documents": m.num_documents,
        "num_chunks": m.num_chunks,
        "num_sentences": m.num_sentences,
        "num_vectors": m.num_vectors,
        "settings": dict(m.settings),
        "built_at": m.built_at,
        "num_bytes": sum(entry.num_bytes for entry in m.files.values()),
        "utilization": index_utilization(name, folder, m.generation),
    }
