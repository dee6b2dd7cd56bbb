"""One request from start to end: what the HTTP routes and the command line both call."""

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contextsvc.caching import CachedAssembler, CachedMeasurer
from contextsvc.codec import (
    Json,
    no_utilization,
    pack_view,
    utilization_view,
)
from contextsvc.errors import BudgetTooSmall, CorruptIndex, InvalidRequest, UserError
from contextsvc.generation import Manifest
from contextsvc.library import Library, LoadedIndex
from contextsvc.measurements import Utilization, UtilizationSummary
from contextsvc.measuring import summarise
from contextsvc.records import CacheState, ContextPack
from contextsvc.requests import PackRequest, require_unicode
from contextsvc.settings import Settings
from contextsvc.slots import Slots
from contextsvc.summaries import index_utilization, store_summary


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
    measure: bool = False
    response: str | None = None
    explain: bool = False


class Engine:
    """The running whole.

    Packs and measurements have slots of their own: a measurement takes seconds and keeps all cores
    busy, so one runs at a time, and packs do not queue behind it.
    """

    def __init__(
        self, settings: Settings, library: Library, assembler: CachedAssembler, measurer: CachedMeasurer
    ) -> None:
        self.settings, self.library = settings, library
        self.assembler, self.measurer = assembler, measurer
        self.packing = Slots(settings.max_concurrent, settings.max_waiting, settings.wait_seconds)
        self.measuring = Slots(1, settings.max_waiting, settings.wait_seconds)

    def context(self, ask: Ask) -> Json:
        """A pack with its utilization, as callers see it."""
        watch = Stopwatch()
        request = self.request(ask)
        index = self.library.get(ask.index)
        with self.packing.take():
            pack, pack_state = self.assembler.assemble(index, request, watch.mark)
        view = pack_view(pack, ask.explain)
        cache = {"pack": pack_state}
        if ask.measure:
            utilization, cache["utilization"] = self._measured(index, pack, ask.response)
            view["utilization"] = utilization_view(utilization)
            watch.mark("measure")
        else:
            view["utilization"] = index_utilization(index.name, index.folder, index.generation)
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
        reason = f"not measured yet; POST /v1/packs/{pack_id}/utilization measures it"
        score = utilization_view(known) if known else no_utilization("pack", reason)
        return {**pack_view(pack, explain=True), "utilization": score}

    def utilization(self, pack_id: str, response: str | None) -> Json:
        """The measured utilization of a pack made before.

        Raises:
            UnknownPack: it is not kept.
            UserError: its generation is no longer the current one.
        """
        pack = self.assembler.pack(pack_id)
        index = self.library.get(pack.index)
        if index.generation != pack.generation:
            raise UserError(
                f"pack {pack_id!r} was made from generation {pack.generation}, index {pack.index!r} is "
                f"now at {index.generation}; ask for a new pack with POST /v1/context"
            )
        found, state = self._measured(index, pack, response)
        return {**utilization_view(found), "cache": {"utilization": state}}

    def indexes(self) -> list[Json]:
        """Every index, briefly; a damaged one with what is wrong."""
        return [self._brief(name) for name in self.library.names()]

    def index(self, name: str) -> Json:
        """One index: its manifest and its last measured utilization."""
        index = self.library.get(name)
        return index_view(name, index.folder, index.manifest)

    def measure_queries(
        self, index_name: str, asks: Iterable[Ask], report: Callable[[Json], None] = lambda _: None
    ) -> UtilizationSummary:
        """Pack and measure each query, report each, and store the summary with the generation.

        Raises:
            UserError: no query gave a pack to measure.
        """
        index = self.library.get(index_name)
        found: list[Utilization] = []
        for ask in asks:
            try:
                pack, _ = self.assembler.assemble(index, self.request(ask))
                if not pack.chunks:
                    report({"query": ask.query, "skipped": "nothing in the index is near it"})
                    continue
                utilization, _ = self._measured(index, pack, ask.response)
            except (InvalidRequest, BudgetTooSmall) as refusal:  # of this query, not of the run
                report({"query": ask.query, "skipped": str(refusal)})
                continue
            found.append(utilization)
            report(
                {"query": ask.query, "pack": pack_view(pack), "utilization": utilization_view(utilization)}
            )
        if not found:
            raise UserError("no query gave a pack to measure")
        summary = summarise(index.generation, found, self.settings.seed)
        store_summary(index.folder, summary)
        return summary

    def _measured(
        self, index: LoadedIndex, pack: ContextPack, response: str | None
    ) -> tuple[Utilization, CacheState]:
        if response is not None:
            require_unicode(response, "the response")
        known = self.measurer.known(pack, response)
        if known is not None:
            return known, "hit"
        with self.measuring.take():
            return self.measurer.measure(index, pack, response)

    def request(self, ask: Ask) -> PackRequest:
        """What is asked, with the settings where the caller left the choice."""
        s = self.settings
        filters = json.dumps(ask.filters, sort_keys=True) if ask.filters is not None else ""
        max_chunks = s.max_chunks if ask.max_chunks is None else ask.max_chunks
        return PackRequest(
            ask.index, ask.query, ask.budget_tokens, max_chunks,
            ask.tokenizer or s.tokenizer, ask.ordering or s.ordering, filters,
        )  # fmt: skip

    def _brief(self, name: str) -> Json:
        try:
            view = self.index(name)
        except (CorruptIndex, UserError) as error:
            return {"name": name, "state": "unusable", "reason": str(error)}
        kept = ("name", "generation", "num_documents", "num_chunks", "built_at")
        return {**{key: view[key] for key in kept}, "state": "ready"}


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
