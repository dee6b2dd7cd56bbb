"""A cache in memory."""


class MemoryCache:
    """A dict that counts hits and misses.

    Attributes:
        num_hits: Calls of `get` that found something.
        num_misses: Calls that did not.
    """

    def __init__(self) -> None:
        self.num_hits = 0
        self.num_misses = 0
        self._values: dict[str, bytes] = {}
        self._tags: dict[str, str] = {}

    def get(self, key: str) -> bytes | None:
        """As `Cache.get` says."""
        value = self._values.get(key)
        if value is None:
            self.num_misses += 1
        else:
            self.num_hits += 1
        return value

    def put(self, key: str, value: bytes, tag: str = "") -> None:
        """As `Cache.put` says."""
        if not isinstance(value, bytes):
            raise TypeError(f"the cache holds bytes, found {type(value).__name__}")
        self._values[key] = value
        self._tags[key] = tag

    def drop(self, tag: str) -> bool:
        """As `Cache.drop` says."""
        for key in [key for key, its in self._tags.items() if its == tag]:
            del self._values[key], self._tags[key]
        return True
