"""Wrappers that answer repeated requests from a cache. The wrapped parts do not know of the cache.

A cache key is a digest of everything that its value depends on: the kind of value, fingerprints, generation
(one published version of an index), settings and request. If a model, an index or a setting changes, the key
changes too, so the cache can serve no stale value and needs no invalidation. A key is computed once, before
its value is made, from the same inputs that make the value.

Every value that belongs to a pack is stored under a tag, which is the pack's id. When the pack is deleted,
all values with its tag are removed.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
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

FORMAT = "7"
"""Version number that is part of every key. Raise it when the shape of a stored record or its tag changes."""


def cache_key(kind: str, *parts: str) -> str:
    """Return the key of a value: its kind, then a digest of `FORMAT` and of the parts it depends on.

    Different parts never give the same key.
    """
    return f"{kind}:{digest(FORMAT, *parts)}"


class CachedEmbedder:
    """An `Embedder` that embeds each query only once.

    Passages are not cached, because an index stores their vectors.
    """

    def __init__(self, embedder: Embedder, cache: Cache) -> None:
        self._embedder, self._cache = embedder, cache

    @property
    def fingerprint(self) -> Fingerprint:
        """Fingerprint of the wrapped embedder."""
        return self._embedder.fingerprint

    @property
    def dim(self) -> int:
        """Length of the vectors of the wrapped embedder."""
        return self._embedder.dim

    @property
    def max_tokens(self) -> int:
        """Largest number of tokens of a text that the wrapped embedder reads."""
        return self._embedder.max_tokens

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return the number of tokens of each text, as the wrapped embedder counts them."""
        return self._embedder.count_tokens(texts)

    def embed_passages(self, texts: Sequence[str]) -> Float32Array:
        """Return the wrapped embedder's vectors of passages. They are computed anew at each call."""
        return self._embedder.embed_passages(texts)

    def embed_queries(self, texts: Sequence[str]) -> Float32Array:
        """Return the vector of each query, as `Embedder.embed_queries` does.

        Only new queries reach the model, one at a time. In a batch, the last bits of a vector would depend on
        the other texts of the batch, and a pack must not depend on other requests.
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
    """The methods of `packing.assembler.Assembler` that `CachedAssembler` needs."""

    def configuration(self, request: PackRequest) -> str:
        """Return a digest that changes whenever the same request may give another pack."""
        ...

    def assemble(self, index: LoadedIndex, request: PackRequest, mark: Mark) -> ContextPack:
        """Make the pack of a request."""
        ...

    def count(self, tokenizer: str) -> Callable[[Sequence[str]], list[int]]:
        """Return the function that counts tokens in the encoding of this name."""
        ...


class CachedAssembler:
    """An assembler that stores its packs and finds them again by request and by id.

    The text of a pack can be read until the pack is evicted or deleted. If a document is deleted from the
    index, its text stays in the packs that were made with it before. `Engine.delete_pack` removes one such
    pack, and the setting `drop_packs` removes the packs of generations that are no longer stored.
    """

    def __init__(self, assembler: Assembles, cache: Cache | None) -> None:
        self._assembler, self._cache = assembler, cache

    def assemble(
        self, index: LoadedIndex, request: PackRequest, mark: Mark = lambda _: None
    ) -> tuple[ContextPack, CacheState]:
        """Return the pack of a request, and whether it came from the cache.

        `mark` is called with the name of each stage when the stage ends, as in `Assembler.assemble`.
        """
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
        """Store a pack so that it can be read by its id.

        The number of documents that its filter allowed is left out, because requests with other filters may
        make the same pack.
        """
        if self._cache is not None:
            kept = replace(pack, num_documents=None)
            self._cache.put(_id_key(pack.pack_id), encode(kept), pack.pack_id)

    def count(self, tokenizer: str) -> Callable[[Sequence[str]], list[int]]:
        """Return the function that counts the tokens of texts in the encoding of this name.

        Raises:
            UnknownChoice: there is no tokenizer of this name.
        """
        return self._assembler.count(tokenizer)

    def pack(self, pack_id: str) -> ContextPack:
        """Read a pack by its id.

        Raises:
            UnknownPack: the pack was never made here, was deleted or evicted, or the cache is off.
        """
        pack = _known(self._cache, _id_key(pack_id), ContextPack)
        if pack is None:
            raise UnknownPack(pack_id)
        return pack

    def drop(self, pack_id: str) -> None:
        """Remove a pack and its measurements.

        Raises:
            Fault: the cache is slow or broken, and some of the values may still be stored.
        """
        if self._cache is not None and not self._cache.drop(pack_id):
            raise Fault(f"pack {pack_id!r} could not be removed from the cache, which is busy or damaged")

    def sweep(self, pack_id: str) -> None:
        """Remove all values of a pack if the pack itself was deleted or evicted; otherwise do nothing."""
        if self._cache is not None and self._cache.get(_id_key(pack_id)) is None:
            self._cache.drop(pack_id)


class Measures(Protocol):
    """The methods of `measuring.measurer.Measurer` that `CachedMeasurer` needs."""

    def thresholds(self, index: LoadedIndex) -> Thresholds:
        """Return the thresholds that are stored at this moment."""
        ...

    def configuration(self, index: LoadedIndex, thresholds: Thresholds | None = None) -> str:
        """Return a digest that changes whenever the same pack may get another score."""
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
        """Measure a pack's utilization (the share of its tokens that influenced the answer)."""
        ...


Kind = TypeVar("Kind", bound=Measures)


class CachedMeasurer(Generic[Kind]):
    """A measurer that stores measurements and finds them again by pack, response, reader and thresholds.

    The reader is the language model that measures. A partial measurement is not reused, because the next
    measurement may reach further before it meets a limit.

    Args:
        build: Makes the measurer. It is called once, at the first measurement: the reader's model is as large
            as everything else together, and many services never measure.
        cache: Cache for the measurements; None: measurements are not stored.
    """

    def __init__(self, build: Callable[[], Kind], cache: Cache | None) -> None:
        self._build, self._cache = build, cache
        self._lock = threading.Lock()
        self._measurer: Kind | None = None

    @property
    def measurer(self) -> Kind:
        """The wrapped measurer. The first access loads the reader's model."""
        with self._lock:
            if self._measurer is None:
                self._measurer = self._build()
            return self._measurer

    def known(
        self, index: LoadedIndex, pack: ContextPack, target: Target | None, sentences: bool = False
    ) -> Utilization | None:
        """Look up a stored measurement. Return None if there is none, or before the reader's model is loaded.

        A lookup never loads the model, because the caller may hold a slot that is not meant for measuring.
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
        """Return the utilization of a pack, and whether it came from the cache.

        `Utilization.cost` is the cost of the measurement, also when the measurement came from the cache.

        Args:
            index: The index that the pack was made from.
            pack: The pack to measure.
            target: The text whose likelihood is measured; None: the reader writes an answer.
            sentences: Whether to measure sentences, too.
            stop: Called between two calls of the reader. If it returns True, the measurement ends.

        Raises:
            GaveWay: `stop` ended the measurement. Nothing is stored.
        """
        measurer = self.measurer
        # Read key and thresholds at one moment. If a calibration is stored during this measurement, only the
        # next measurement uses it.
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
        """Return the last measurement of a pack, by whatever reader; None if none is stored."""
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
        return None  # another version wrote the value, or it is damaged: this counts as a miss
