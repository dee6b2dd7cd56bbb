"""Repeated look-ups answered from a cache, by wrappers: neither model nor assembler knows of it.

A key is a digest over everything the value depends on: kind, fingerprints, generation, settings,
request. A changed model, index or setting is a new key, so nothing stale can be served and nothing
has to be invalidated.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Generic, Literal, Protocol, TypeVar

import numpy as np

from contextsvc.errors import ShapeError, UnknownPack
from contextsvc.measuring.records import Target, Utilization
from contextsvc.ports import Cache, Embedder
from contextsvc.records.arrays import Float32Array
from contextsvc.records.fingerprints import Fingerprint, digest
from contextsvc.records.json import decode, encode
from contextsvc.records.packs import ContextPack
from contextsvc.records.requests import PackRequest
from contextsvc.storage.library import LoadedIndex

CacheState = Literal["hit", "miss", "off"]

Record = TypeVar("Record")

Mark = Callable[[str], None]

FORMAT = "5"
"""Raised when the shape of a stored record changes."""


def cache_key(kind: str, *parts: str) -> str:
    """One key a kind and parts; parts can hold anything without colliding."""
    return f"{kind}:{digest(FORMAT, *parts)}"


class CachedEmbedder:
    """An `Embedder` that embeds each query once. Passages are not cached: an index keeps them."""

    def __init__(self, embedder: Embedder, cache: Cache) -> None:
        self._embedder, self._cache = embedder, cache

    @property
    def fingerprint(self) -> Fingerprint:
        """The wrapped embedder's."""
        return self._embedder.fingerprint

    @property
    def dim(self) -> int:
        """The wrapped embedder's."""
        return self._embedder.dim

    @property
    def max_tokens(self) -> int:
        """The wrapped embedder's."""
        return self._embedder.max_tokens

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """The wrapped embedder's."""
        return self._embedder.count_tokens(texts)

    def embed_passages(self, texts: Sequence[str]) -> Float32Array:
        """The wrapped embedder's."""
        return self._embedder.embed_passages(texts)

    def embed_queries(self, texts: Sequence[str]) -> Float32Array:
        """As `Embedder`; only queries not seen before reach the model, one at a time.

        One at a time because a vector's last bits depend on what else is in the batch, and a pack
        must not.
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
    """What `CachedAssembler` wraps."""

    def configuration(self, request: PackRequest) -> str:
        """Changes when the same request may give another pack."""
        ...

    def assemble(self, index: LoadedIndex, request: PackRequest, mark: Mark) -> ContextPack:
        """A pack for the request."""
        ...

    def count(self, tokenizer: str) -> Callable[[Sequence[str]], list[int]]:
        """Counts tokens in a named encoding."""
        ...


class CachedAssembler:
    """Packs by request, and again by id."""

    def __init__(self, assembler: Assembles, cache: Cache | None) -> None:
        self._assembler, self._cache = assembler, cache

    def assemble(
        self, index: LoadedIndex, request: PackRequest, mark: Mark = lambda _: None
    ) -> tuple[ContextPack, CacheState]:
        """The pack and whether it was known; `mark` as in `Assembler.assemble`."""
        key = cache_key("pack", index.name, index.generation, self._assembler.configuration(request),
                        encode(request).decode())  # fmt: skip
        known = _known(self._cache, key, ContextPack)
        if known is not None:
            return known, "hit"
        pack = self._assembler.assemble(index, request, mark)
        if self._cache is None:
            return pack, "off"
        self._cache.put(key, encode(pack))
        self.keep(pack)
        return pack, "miss"

    def keep(self, pack: ContextPack) -> None:
        """Let a pack be asked for by its id."""
        if self._cache is not None:
            self._cache.put(cache_key("pack-by-id", pack.pack_id), encode(pack))

    def count(self, tokenizer: str) -> Callable[[Sequence[str]], list[int]]:
        """Counts tokens as packs of that tokenizer are counted.

        Raises:
            SettingError: unknown tokenizer.
        """
        return self._assembler.count(tokenizer)

    def pack(self, pack_id: str) -> ContextPack:
        """The pack of that id.

        Raises:
            UnknownPack: it was never made here, was evicted, or the cache is off.
        """
        pack = _known(self._cache, cache_key("pack-by-id", pack_id), ContextPack)
        if pack is None:
            raise UnknownPack(pack_id)
        return pack


class Measures(Protocol):
    """What `CachedMeasurer` wraps."""

    def configuration(self, index: LoadedIndex) -> str:
        """Changes when the same pack may get another score."""
        ...

    def measure(
        self, index: LoadedIndex, pack: ContextPack, target: Target | None, sentences: bool = False
    ) -> Utilization:
        """The pack's utilization."""
        ...


Kind = TypeVar("Kind", bound=Measures)


class CachedMeasurer(Generic[Kind]):
    """Measurements by pack, response, reader and calibration: whatever changes is another key.

    A partial measurement is not kept: the next one may have more room.

    Args:
        build: Makes the measurer; called once, at the first measurement, because its model is as
            large as everything else together and many services never measure.
    """

    def __init__(self, build: Callable[[], Kind], cache: Cache | None) -> None:
        self._build, self._cache = build, cache
        self._lock = threading.Lock()
        self._measurer: Kind | None = None

    @property
    def measurer(self) -> Kind:
        """The wrapped measurer."""
        with self._lock:
            if self._measurer is None:
                self._measurer = self._build()
            return self._measurer

    def known(
        self, index: LoadedIndex, pack: ContextPack, target: Target | None, sentences: bool = False
    ) -> Utilization | None:
        """The utilization if it was measured before; costs a look-up."""
        return _known(self._cache, self._key(index, pack, target, sentences), Utilization)

    def measure(
        self, index: LoadedIndex, pack: ContextPack, target: Target | None, sentences: bool = False
    ) -> tuple[Utilization, CacheState]:
        """The utilization and whether it was known. The cost is what it took when it was measured."""
        known = self.known(index, pack, target, sentences)
        if known is not None:
            return known, "hit"
        found = self.measurer.measure(index, pack, target, sentences)
        if self._cache is None:
            return found, "off"
        data = encode(found)
        if not found.partial:
            self._cache.put(self._key(index, pack, target, sentences), data)
        self._cache.put(cache_key("utilization-of-pack", pack.pack_id), data)
        return found, "miss"

    def last(self, pack_id: str) -> Utilization | None:
        """What was last measured of a pack, by whichever reader; None if nothing is kept."""
        return _known(self._cache, cache_key("utilization-of-pack", pack_id), Utilization)

    def _key(self, index: LoadedIndex, pack: ContextPack, target: Target | None, sentences: bool) -> str:
        watched = "" if target is None else f"{target.kind}:{target.text}"
        configuration = self.measurer.configuration(index)
        return cache_key("utilization", configuration, pack.pack_id, watched, str(sentences))


def _known(cache: Cache | None, key: str, kind: type[Record]) -> Record | None:
    data = cache.get(key) if cache is not None else None
    if data is None:
        return None
    try:
        return decode(kind, data)
    except ShapeError:
        return None  # written by another version or damaged: a miss
