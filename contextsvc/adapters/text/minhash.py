"""Index of near-duplicates with the library datasketch.

MinHash signatures, grouped by banding, estimate the Jaccard similarity of the shingles of two texts.

Source: Broder, On the resemblance and containment of documents, SEQUENCES 1997.
https://doi.org/10.1109/SEQUEN.1997.666900
"""

import re
import zlib

from datasketch import MinHash, MinHashLSH

SHINGLE_WORDS = 5
NUM_PERMUTATIONS = 128
SEED = 1
# Weights of false positives and false negatives when the bands are chosen. A false positive costs only one
# comparison of signatures. A false negative is a match that is lost.
_WEIGHTS = (0.1, 0.9)
_WORD = re.compile(r"\w+")


class MinHashIndex:
    """A `ports.NearDuplicateIndex` that compares texts by their sets of five-word shingles.

    Each kept text takes about 4 kB of memory. The estimate of a Jaccard similarity j has a standard deviation
    of sqrt(j (1 - j) / 128), which is .02 at j = .95.

    Args:
        min_similarity: Smallest Jaccard similarity of a match, 0 to 1.
    """

    def __init__(self, min_similarity: float) -> None:
        self._min_similarity = min_similarity
        # With a higher threshold the library would use a single band.
        threshold = min(min_similarity, 0.95)
        self._bands = MinHashLSH(threshold=threshold, num_perm=NUM_PERMUTATIONS, weights=_WEIGHTS)
        self._kept: dict[int, MinHash] = {}
        self._num_texts = 0

    def match(self, text: str) -> tuple[int, float] | None:
        """Return (number, similarity) of the most similar kept text; see `ports.NearDuplicateIndex.match`.

        If no kept text is similar enough, None is returned and the new text is kept. A text without words
        matches nothing.
        """
        signature = _signature(text)
        if signature is not None:
            pairs = [(self._kept[n].jaccard(signature), n) for n in self._bands.query(signature)]
            matches = [pair for pair in pairs if pair[0] >= self._min_similarity]
            if matches:
                similarity, number = min(matches, key=lambda pair: (-pair[0], pair[1]))
                return number, float(similarity)
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
    # CRC-32 replaces SHA-1 because it is twice as fast, and collisions are no security risk here.
    signature = MinHash(num_perm=NUM_PERMUTATIONS, seed=SEED, hashfunc=zlib.crc32)
    # All shingles are encoded in one call and then split again, because no word contains a line end.
    signature.update_batch("\n".join(runs).encode("utf-8", "surrogatepass").split(b"\n"))
    return signature
