"""Near-duplicates by brute force."""


class PlainNearDuplicateIndex:
    """Exact Jaccard similarity of five-word runs."""

    def __init__(self, least: float) -> None:
        self._least = least
        self._kept: list[set[tuple[str, ...]]] = []

    def match(self, text: str) -> tuple[int, float] | None:
        """As `NearDuplicateIndex.match` says."""
        words = text.lower().split()
        runs = {tuple(words[at : at + 5]) for at in range(max(1, len(words) - 4))} if words else set()
        shares = [(len(runs & kept) / max(1, len(runs | kept)), -n) for n, kept in enumerate(self._kept)]
        best = max(shares, default=(0.0, 0))
        if best[0] >= self._least and runs:
            return -best[1], best[0]
        self._kept.append(runs)
        return None
