"""The engine carries out one request from start to end. The HTTP service and the command line both call it.

Utilization is the share of a pack's tokens that influenced the answer. A reader is the language model that
measures it. A generation is one published version of an index.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from contextsvc.errors import ShapeError, UnknownPack, UserError
from contextsvc.measuring.measurer import Measurer
from contextsvc.measuring.minimal_pack import minimal_pack
from contextsvc.measuring.records import Target, Utilization
from contextsvc.ports import JobQueue
from contextsvc.records.json import Json, decode, encode
from contextsvc.records.packs import ContextPack
from contextsvc.records.requests import PackRequest
from contextsvc.records.validation import require_unicode
from contextsvc.service.background import BackgroundMeasuring
from contextsvc.service.caching import CachedAssembler, CachedMeasurer, CacheState
from contextsvc.service.publishing import Publisher
from contextsvc.service.readiness import Readiness, index_states
from contextsvc.service.slots import Slots, Steps, run_here
from contextsvc.service.views import (
    index_utilization,
    index_view,
    minimal_view,
    no_utilization,
    pack_view,
    utilization_view,
)
from contextsvc.settings import Settings
from contextsvc.storage.generation import generations
from contextsvc.storage.library import Library, LoadedIndex


@dataclass(frozen=True, slots=True)
class MeasureJob:
    """A measurement that waits in the queue of background jobs."""

    pack: ContextPack
    target: Target | None


Measure = bool | Literal["background"]
"""When a pack is measured: False: not at all; True: before the answer; "background": after the answer."""


class Engine:
    """The running service, without its HTTP routes.

    Packs and measurements have separate slots. A measurement takes a second or more and keeps all cores busy,
    so only one runs at a time, and packs do not wait for it. Background measurements wait in `jobs` until no
    pack and no measurement is in work. A background measurement gives way when a caller waits for a
    measurement.
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
        waiting = (settings.max_waiting, settings.wait_seconds)
        self.packing = Slots(settings.max_concurrent, *waiting, name="contextsvc-packing")
        self.measuring = Slots(1, *waiting, name="contextsvc-measuring")
        self.readiness = Readiness(library)
        self.jobs = jobs
        self.background: BackgroundMeasuring | None = None
        if jobs is not None:
            self.background = BackgroundMeasuring(jobs, self._measure_job, self._idle)

    def request(
        self,
        index: str,
        query: str,
        budget_tokens: int,
        *,
        max_chunks: int | None = None,
        tokenizer: str | None = None,
        ordering: str | None = None,
        filters: Mapping[str, Any] | None = None,
        exact: bool = False,
        trim: bool | None = None,
        answerable_only: bool = False,
    ) -> PackRequest:
        """Make a request for a pack. An argument that is None is replaced by the setting of the service.

        The arguments have the meaning of the attributes of `PackRequest`.

        Raises:
            InvalidRequest: a value is out of its range.
        """
        s = self.settings
        return PackRequest(
            index=index,
            query=query,
            budget_tokens=budget_tokens,
            max_chunks=s.max_chunks if max_chunks is None else max_chunks,
            tokenizer=tokenizer or s.tokenizer,
            ordering=ordering or s.ordering,
            filters=json.dumps(filters, sort_keys=True) if filters is not None else "",
            exact=exact,
            trim=s.trim if trim is None else trim,
            answerable_only=answerable_only,
        )

    def context(self, index: str, query: str, budget_tokens: int, **chosen: Any) -> Json:
        """Make a pack in this thread, and measure it if `measure` is True. Arguments: see `context_steps`."""
        return run_here(self.context_steps(index, query, budget_tokens, **chosen))

    def context_steps(
        self,
        index: str,
        query: str,
        budget_tokens: int,
        *,
        measure: Measure = False,
        response: str | None = None,
        sentences: bool = False,
        explain: bool = False,
        **chosen: Any,
    ) -> Steps[Json]:
        """Make a pack with its utilization, in steps. The last step returns the JSON of the pack.

        Args:
            index: Name of the index.
            query: The question.
            budget_tokens: Largest number of tokens of the pack.
            measure: True: measure the pack before the answer; "background": queue a measurement.
            response: The caller's answer, whose likelihood is measured; None: the reader writes its own
                answer.
            sentences: Whether to measure the sentences of influential chunks, too.
            explain: Whether to add the candidates left out and the signals behind each score.
            **chosen: Further arguments of `request`.
        """
        watch = Stopwatch()
        request, target = self.request(index, query, budget_tokens, **chosen), _target(response)

        def pack_it() -> tuple[LoadedIndex, ContextPack, Json]:
            loaded = self.library.get(index)
            pack, state = self.assembler.assemble(loaded, request, watch.mark)
            view = {**pack_view(pack, explain), "utilization": None, "cache": {"pack": state}}
            if measure is True:
                known = self.measurer.known(loaded, pack, target, sentences)
                if known is not None:
                    _add_utilization(view, known, "hit")
            elif measure == "background":
                view["utilization"] = self._queued(pack, target)
            else:
                view["utilization"] = index_utilization(index, loaded.folder, loaded.generation)
                self._sample(pack, state, target)
            return loaded, pack, view

        loaded, pack, view = yield self.packing, pack_it
        if view["utilization"] is None:
            found = yield self.measuring, lambda: self._measure(loaded, pack, target, sentences)
            _add_utilization(view, *found)
        if measure is True:
            watch.mark("measure")
        num_seen = len(pack.chunks) + len(pack.drops)
        return {**view, "trace": {"num_candidates": num_seen, "seconds": watch.read()}}

    def pack(self, pack_id: str) -> Json:
        """Return the JSON of a stored pack, with its utilization if it was measured.

        Raises:
            UnknownPack: the pack is not stored.
        """
        pack = self._kept_pack(pack_id)
        known = self.measurer.last(pack_id)
        if known:
            return {**pack_view(pack, explain=True), "utilization": utilization_view(known)}
        state = self.jobs.state(pack_id) if self.jobs else None
        reason = f"not measured yet; POST /v1/packs/{pack_id}/utilization measures it"
        if state:
            reason = f"{state[0]} in the background" + (f": {state[1]}" if state[1] else "")
        return {**pack_view(pack, explain=True), "utilization": no_utilization("pack", reason)}

    def delete_pack(self, pack_id: str) -> None:
        """Delete a pack, its measurements and its background job. A smaller pack that was made from it stays.

        Raises:
            UnknownPack: the pack is not stored.
            Fault: the cache is slow or broken, and some of the values may still be stored.
        """
        self.assembler.pack(pack_id)
        if self.jobs:
            self.jobs.done(pack_id)
        self.assembler.drop(pack_id)

    def utilization(
        self, pack_id: str, response: str | None, sentences: bool = False, minimize: bool = False
    ) -> Json:
        """Measure a stored pack in this thread. Arguments and errors are those of `utilization_steps`."""
        return run_here(self.utilization_steps(pack_id, response, sentences, minimize))

    def utilization_steps(
        self, pack_id: str, response: str | None, sentences: bool = False, minimize: bool = False
    ) -> Steps[Json]:
        """Measure a stored pack, in steps. The last step returns the JSON of the pack's utilization.

        Args:
            pack_id: Id of the pack.
            response: The caller's answer, whose likelihood is measured; None: the reader writes its own
                answer.
            sentences: Whether to measure the sentences of influential chunks, too.
            minimize: Whether to search for a smaller pack that keeps the quality of the answer, and add it.

        Raises:
            UnknownPack: the pack is not stored.
            UserError: the pack's generation is no longer the current one.
        """
        target = _target(response)

        def look_up() -> tuple[LoadedIndex, ContextPack, Utilization | None]:
            pack = self._kept_pack(pack_id)
            index = self._index_of(pack)
            return index, pack, self.measurer.known(index, pack, target, sentences)

        def minimized() -> Json:
            count = self.assembler.count(pack.tokenizer)
            measurer = self.measurer.measurer
            minimal, smaller = minimal_pack(measurer.reader, pack, found, count, measurer.limits)
            self.assembler.keep(smaller)
            return minimal_view(minimal)

        index, pack, found = yield self.packing, look_up
        state: CacheState = "hit"
        if found is None:
            found, state = yield self.measuring, lambda: self._measure(index, pack, target, sentences)
        view = {**utilization_view(found), "cache": {"utilization": state}}
        if minimize:
            view["minimal"] = yield self.measuring, minimized
        return view

    def measured(
        self, index: LoadedIndex, pack: ContextPack, target: Target | None, sentences: bool = False
    ) -> tuple[Utilization, CacheState]:
        """Return the utilization of a pack, from the cache or measured now. Measurements run one at a time.

        Raises:
            InvalidRequest: the target cannot be measured.
            Overloaded: too many measurements wait.
        """
        known = self.measurer.known(index, pack, target, sentences)
        if known is not None:
            return known, "hit"
        with self.measuring.take():
            return self._measure(index, pack, target, sentences)

    def indexes(self) -> list[Json]:
        """Return every index with its state, checked now; see `readiness.index_states`."""
        return index_states(self.library)

    def index(self, name: str) -> Json:
        """Return the JSON of an index: its manifest, its answer threshold and its measured utilization."""
        index = self.library.get(name)
        return index_view(name, index.folder, index.manifest, self.settings.answer_threshold)

    def _kept_pack(self, pack_id: str) -> ContextPack:
        pack = self.assembler.pack(pack_id)
        if self.settings.drop_packs:
            kept = generations(self.library.root / pack.index)
            if pack.generation not in kept:
                self.delete_pack(pack_id)
                raise UnknownPack(pack_id)
        return pack

    def _index_of(self, pack: ContextPack) -> LoadedIndex:
        index = self.library.get(pack.index)
        if index.generation != pack.generation:
            raise UserError(
                f"pack {pack.pack_id!r} was made from generation {pack.generation}, index {pack.index!r} is "
                f"now at {index.generation}; ask for a new pack with POST /v1/context"
            )
        return index

    def _queued(self, pack: ContextPack, target: Target | None) -> Json:
        if self.background is None or self.jobs is None:
            raise UserError(
                "measuring in the background is off; set CONTEXTSVC_BACKGROUND_JOBS, or ask for measure: true"
            )
        url = f"GET /v1/packs/{pack.pack_id} has it when it is done"
        state = self.jobs.state(pack.pack_id)
        if state and state[0] != "failed":
            return no_utilization("pack", f"queued before, with the response it had then; {url}")
        if not self.jobs.put(pack.pack_id, encode(MeasureJob(pack, target))):
            return no_utilization("pack", "not queued: the queue is full or cannot be written")
        self.background.wake()
        return no_utilization("pack", f"queued; {url}")

    def _sample(self, pack: ContextPack, state: CacheState, target: Target | None) -> None:
        # The pack's own hash decides whether it is measured, so no random number is needed. For a pack from
        # the cache this was decided when the pack was made.
        drawn = int(pack.pack_id[:8], 16) < self.settings.measure_share * 2**32
        if drawn and state != "hit" and pack.chunks:
            self._queued(pack, target)

    def _idle(self) -> bool:
        return self.packing.idle and self.measuring.idle

    def _measure_job(self, payload: bytes) -> None:
        try:
            job = decode(MeasureJob, payload)
        except ShapeError as error:  # another version queued the job, so another try would fail, too
            raise UserError(f"{error}; ask for the measurement again") from None
        index = self._index_of(job.pack)
        # Take a slot only if one is free, and stop between two reader calls when a caller waits for the slot.
        with self.measuring.take(may_wait=False):
            self._measure(index, job.pack, job.target, stop=lambda: self.measuring.wanted)

    def _measure(
        self,
        index: LoadedIndex,
        pack: ContextPack,
        target: Target | None,
        sentences: bool = False,
        stop: Callable[[], bool] | None = None,
    ) -> tuple[Utilization, CacheState]:
        found = self.measurer.measure(index, pack, target, sentences, stop)
        # If the pack was deleted during the measurement, its new values are removed, too.
        self.assembler.sweep(pack.pack_id)
        return found


def _target(response: str | None) -> Target | None:
    return None if response is None else Target(require_unicode(response, "the response"), "response")


def _add_utilization(view: Json, found: Utilization, state: CacheState) -> None:
    view["utilization"] = utilization_view(found)
    view["cache"]["utilization"] = state


class Stopwatch:
    """A measurement of the seconds spent in each stage of a request."""

    def __init__(self) -> None:
        self._start = self._last = time.perf_counter()
        self._seconds: dict[str, float] = {}

    def mark(self, stage: str) -> None:
        """End a stage. Its time is the time since the last call of `mark`, or since the start."""
        now = time.perf_counter()
        self._seconds[stage] = round(now - self._last, 6)
        self._last = now

    def read(self) -> dict[str, float]:
        """Return the seconds of each stage, and the seconds since the start as `total`."""
        return {**self._seconds, "total": round(time.perf_counter() - self._start, 6)}
