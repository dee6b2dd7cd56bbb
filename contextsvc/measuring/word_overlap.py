"""Compute the likeness of two answers from the words that they share."""

import string
import unicodedata
from collections import Counter

_ARTICLES = frozenset({"a", "an", "the"})


def likeness(answer: str, target: str) -> float:
    """Compute the word-level F1 of two texts, in [0, 1]. It is symmetric, and 1 for equal texts.

    F1 = 2 |shared| / (|answer| + |target|), where every occurrence of a word counts. Case, punctuation (all
    of Unicode), English articles and the order of words are ignored.

    If a text has no word left ("The.", "?!", spaces), the result is 1 if both texts are equal apart from case
    and spaces, else 0. In text without spaces between words, such as Chinese, each clause is one word.

    Source: Rajpurkar et al., EMNLP 2016, section 6.1. https://arxiv.org/abs/1606.05250

    >>> likeness("It listens on port 2379.", "port 2379")
    0.5714285714285714
    >>> likeness("The Port, 2379!", "port 2379")
    1.0
    >>> likeness("?!", "...")
    0.0
    """
    words, wanted = _words(answer), _words(target)
    if not words or not wanted:
        return float(answer.lower().split() == target.lower().split())
    num_shared = (Counter(words) & Counter(wanted)).total()
    return 2 * num_shared / (len(words) + len(wanted))


def _words(text: str) -> list[str]:
    # Punctuation is removed, not replaced by a space, as in the published script: "etcd's" is one word.
    kept = "".join(letter for letter in text.lower() if not _is_punctuation(letter))
    return [word for word in kept.split() if word not in _ARTICLES]


def _is_punctuation(letter: str) -> bool:
    # The published script handles only ASCII punctuation, but models also write curly quotes and dashes.
    return letter in string.punctuation or unicodedata.category(letter).startswith("P")
