"""NearDuplicateIndex by MinHash with banding (datasketch): estimated Jaccard similarity of word shingles.

Source: Broder, On the resemblance and containment of documents, SEQUENCES 1997.
https://doi.org/10.1109/SEQUEN.1997.666900
"""

import re
import zlib

from datasketch import MinHash, MinHashLSH

SHINGLE_WORDS = 5
NUM_PERMUTATIONS = 128
SEED = 1
# How much a pair that is missed weighs against one that is looked at in vain: looking costs a comparison
# of two signatures, missing cannot be made good.
_WEIGHTS = (0.1, 0.9)
_WORD = re.compile(r"\w+")


class MinHashLikeness:
    """Texts by the share of five-word runs that they have in common; about 4 kB of memory a text kept.

    The estimate has a standard deviation of sqrt(j (1 - j) / 128), .02 at .95.
    """

    def __init__(self, least: float) -> None:
        self._least = least
        # Above that the library would take a single band.
        threshold = min(least, 0.95)
        self._bands = MinHashLSH(threshold=threshold, num_perm=NUM_PERMUTATIONS, weights=_WEIGHTS)
        self._kept: dict[int, MinHash] = {}
        self._num_texts = 0

    def match(self, text: str) -> tuple[int, float] | None:
        """As `NearDuplicateIndex.match` says; a text without words is like nothing."""
        signature = _signature(text)
        if signature is not None:
            pairs = [(self._kept[n].jaccard(signature), n) for n in self._bands.query(signature)]
            alike = [pair for pair in pairs if pair[0] >= self._least]
            if alike:
                likeness, number = min(alike, key=lambda pair: (-pair[0], pair[1]))
                return number, float(likeness)
            self._bands.insert(self._num_texts, signature, check_duplication=False)
            self._kept[self._num_texts] = signature
        self._num_texts += 1
        return None


def _signature(text: str) -> MinHash | None:
    words = _WORD.findall(text.lower())
    if not words:
        return None
    size = min(SHINGLE_WORDS, len(words))
    runs = set(map(" ".join, zip(*(words[at:] for at in range(size)), strict=False)))
    # A checksum, not SHA-1: twice as fast, and nobody gains by a collision.
    signature = MinHash(num_perm=NUM_PERMUTATIONS, seed=SEED, hashfunc=zlib.crc32)
    # Encoded at once; no word holds a line end.
    signature.update_batch("\n".join(runs).encode("utf-8", "surrogatepass").split(b"\n"))
    return signature
