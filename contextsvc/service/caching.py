"""Wrappers that answer repeated requests from a cache. Model, assembler and measurer do not know of it.

A key is a digest of everything that its value depends on: kind, fingerprints, generation, settings, request.
A changed model, index or setting makes another key, so nothing stale can be served and nothing has to be
invalidated. A key is computed once, before the value is made, from the very inputs that make it.

Whatever belongs to a pack is kept under a tag, the pack's id, and goes when the pack is deleted.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Generic, Literal, Protocol, TypeVar

import numpy as np

from contextsvc.errors import Fault, ShapeError, UnknownPack
from contextsvc.measuring.measurer import Thresholds
from contextsvc.measuring.records import Target, Utilization
from contextsvc.ports import Cache, Embedder
from contextsvc.records.arrays import Float32Array
from contextsvc.records.fingerprints import Fingerprint, digest
from contextsvc.records.json import decode, encode
from contextsvc.records.packs import ContextPack
from contextsvc.records.requests import PackRequest
from contextsvc.service.slots import GaveWay
from contextsvc.storage.library import LoadedIndex

CacheState = Literal["hit", "miss", "off"]

Record = TypeVar("Record")

Mark = Callable[[str], None]

FORMAT = "6"
"""Part of every key. Raise it when the shape of a stored record, or how it is tagged, changes."""


def cache_key(kind: str, *parts: str) -> str:
    """Key of a kind of value and what it depends on. Different parts never give the same key."""
    return f"{kind}:{digest(FORMAT, *parts)}"


class CachedEmbedder:
    """An `Embedder` that embeds each query once. Passages are not cached: an index keeps their vectors."""

    def __init__(self, embedder: Embedder, cache: Cache) -> None:
        self._embedder, self._cache = embedder, cache

    @property
    def fingerprint(self) -> Fingerprint:
        """As the wrapped embedder."""
        return self._embedder.fingerprint

    @property
    def dim(self) -> int:
        """As the wrapped embedder."""
        return self._embedder.dim

    @property
    def max_tokens(self) -> int:
        """As the wrapped embedder."""
        return self._embedder.max_tokens

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """As the wrapped embedder."""
        return self._embedder.count_tokens(texts)

    def embed_passages(self, texts: Sequence[str]) -> Float32Array:
        """As the wrapped embedder."""
        return self._embedder.embed_passages(texts)

    def embed_queries(self, texts: Sequence[str]) -> Float32Array:
        """As `Embedder`. Only new queries reach the model, one at a time.

        One at a time because the last bits of a vector depend on the other texts of its batch, and a pack
        must not depend on them.
        """
        vectors = np.zeros((len(texts), self.dim), dtype=np.float32)
        for row, text in enumerate(texts):
            key = cache_key("query-vector", str(self.fingerprint), text)
            known = self._cache.get(key)
            if known is None or len(known) != 4 * self.dim:
                known = self._embedder.embed_queries([text]).astype("<f4").tobytes()
                self._cache.put(key, known)
            vectors[row] = np.frombuffer(known, dtype="<f4")
        return vectors


class Assembles(Protocol):
    """The part of `packing.assembler.Assembler` that `CachedAssembler` needs."""

    def configuration(self, request: PackRequest) -> str:
        """Digest that changes when the same request may give another pack."""
        ...

    def assemble(self, index: LoadedIndex, request: PackRequest, mark: Mark) -> ContextPack:
        """Make the pack of a request."""
        ...

    def count(self, tokenizer: str) -> Callable[[Sequence[str]], list[int]]:
        """Return a function that counts tokens in a named encoding."""
        ...


class CachedAssembler:
    """Packs by request and by id.

    How long the text of a pack can be read: until the pack is evicted or dropped. A document that is deleted
    stays in the packs that were made with it before; `Engine.delete_pack` and the setting `drop_packs` remove
    them.
    """

    def __init__(self, assembler: Assembles, cache: Cache | None) -> None:
        self._assembler, self._cache = assembler, cache

    def assemble(
        self, index: LoadedIndex, request: PackRequest, mark: Mark = lambda _: None
    ) -> tuple[ContextPack, CacheState]:
        """The pack of a request, and whether it was known; `mark` as in `Assembler.assemble`."""
        configuration = self._assembler.configuration(request)
        key = cache_key("pack", index.name, index.generation, configuration, encode(request).decode())
        known = _known(self._cache, key, ContextPack)
        if known is not None:
            return known, "hit"
        pack = self._assembler.assemble(index, request, mark)
        if self._cache is None:
            return pack, "off"
        self._cache.put(key, encode(pack), pack.pack_id)
        self.keep(pack)
        return pack, "miss"

    def keep(self, pack: ContextPack) -> None:
        """Keep a pack so that it can be read by its id."""
        if self._cache is not None:
            self._cache.put(_id_key(pack.pack_id), encode(pack), pack.pack_id)

    def count(self, tokenizer: str) -> Callable[[Sequence[str]], list[int]]:
        """Return the function that counts tokens of packs in that encoding.

        Raises:
            UnknownChoice: unknown tokenizer.
        """
        return self._assembler.count(tokenizer)

    def pack(self, pack_id: str) -> ContextPack:
        """Read a pack by its id.

        Raises:
            UnknownPack: it was never made here, was deleted or evicted, or the cache is off.
        """
        pack = _known(self._cache, _id_key(pack_id), ContextPack)
        if pack is None:
            raise UnknownPack(pack_id)
        return pack

    def drop(self, pack_id: str) -> None:
        """Remove a pack and its measurements.

        Raises:
            Fault: the cache is slow or broken, and something may still be there.
        """
        if self._cache is not None and not self._cache.drop(pack_id):
            raise Fault(f"pack {pack_id!r} could not be removed from the cache, which is busy or damaged")

    def sweep(self, pack_id: str) -> None:
        """Remove what was stored for a pack after the pack itself was deleted or evicted."""
        if self._cache is not None and self._cache.get(_id_key(pack_id)) is None:
            self._cache.drop(pack_id)


class Measures(Protocol):
    """The part of `measuring.measurer.Measurer` that `CachedMeasurer` needs."""

    def thresholds(self, index: LoadedIndex) -> Thresholds:
        """Thresholds as stored at this moment."""
        ...

    def configuration(self, index: LoadedIndex, thresholds: Thresholds | None = None) -> str:
        """Digest that changes when the same pack may get another score."""
        ...

    def measure(
        self,
        index: LoadedIndex,
        pack: ContextPack,
        target: Target | None,
        sentences: bool = False,
        *,
        thresholds: Thresholds | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> Utilization:
        """Measure a pack's utilization."""
        ...


Kind = TypeVar("Kind", bound=Measures)


class CachedMeasurer(Generic[Kind]):
    """Measurements by pack, response, reader and thresholds: each change makes another key.

    A partial measurement is not used again: the next one may have more room.

    Args:
        build: Makes the measurer. It is called once, at the first measurement, because the reader's model
            is as large as everything else together and many services never measure.
        cache: Where measurements are kept; None: nowhere.
    """

    def __init__(self, build: Callable[[], Kind], cache: Cache | None) -> None:
        self._build, self._cache = build, cache
        self._lock = threading.Lock()
        self._measurer: Kind | None = None

    @property
    def measurer(self) -> Kind:
        """The wrapped measurer; the first call loads its model."""
        with self._lock:
            if self._measurer is None:
                self._measurer = self._build()
            return self._measurer

    def known(
        self, index: LoadedIndex, pack: ContextPack, target: Target | None, sentences: bool = False
    ) -> Utilization | None:
        """Look up a measurement. None if there is none, or while the model is not loaded.

        It never loads the model: a caller may hold a slot that is not meant for measuring.
        """
        measurer = self._measurer
        if measurer is None or self._cache is None:
            return None
        key = _measurement_key(measurer.configuration(index), pack, target, sentences)
        return _known(self._cache, key, Utilization)

    def measure(
        self,
        index: LoadedIndex,
        pack: ContextPack,
        target: Target | None,
        sentences: bool = False,
        stop: Callable[[], bool] | None = None,
    ) -> tuple[Utilization, CacheState]:
        """The utilization, and whether it was known. Its cost is that of the measurement, not of the look-up.

        Args:
            index: As in `Measurer.measure`, like the other arguments.
            pack: The pack.
            target: The text to watch.
            sentences: Measure sentences, too.
            stop: Asked between the reader's calls; True ends the measurement.

        Raises:
            GaveWay: `stop` ended the measurement; nothing of it is kept.
        """
        measurer = self.measurer
        # Key and thresholds come from one moment. A calibration that is stored while this measures belongs
        # to the next measurement.
        thresholds = measurer.thresholds(index)
        key = _measurement_key(measurer.configuration(index, thresholds), pack, target, sentences)
        known = _known(self._cache, key, Utilization)
        if known is not None:
            return known, "hit"
        found = measurer.measure(index, pack, target, sentences, thresholds=thresholds, stop=stop)
        if found.partial and stop is not None and stop():
            raise GaveWay
        if self._cache is None:
            return found, "off"
        data = encode(found)
        if not found.partial:
            self._cache.put(key, data, pack.pack_id)
        self._cache.put(cache_key("utilization-of-pack", pack.pack_id), data, pack.pack_id)
        return found, "miss"

    def last(self, pack_id: str) -> Utilization | None:
        """The last measurement of a pack, with any reader; None if nothing is kept."""
        return _known(self._cache, cache_key("utilization-of-pack", pack_id), Utilization)


def _id_key(pack_id: str) -> str:
    return cache_key("pack-by-id", pack_id)


def _measurement_key(configuration: str, pack: ContextPack, target: Target | None, sentences: bool) -> str:
    watched = "" if target is None else f"{target.kind}:{target.text}"
    return cache_key("utilization", configuration, pack.pack_id, watched, str(sentences))


def _known(cache: Cache | None, key: str, kind: type[Record]) -> Record | None:
    data = cache.get(key) if cache is not None else None
    if data is None:
        return None
    try:
        return decode(kind, data)
    except ShapeError:
        return None  # another version wrote it, or it is damaged: a miss
