"""How like two answers are, by the words they share."""

import string
import unicodedata
from collections import Counter

_ARTICLES = frozenset({"a", "an", "the"})


def likeness(answer: str, target: str) -> float:
    """Word-level F1 of two texts, in [0, 1]; 1 for equal texts, the same both ways round.

    Case, punctuation (Unicode's too) and English articles do not count, nor does the order of words;
    a word counts as often as it occurs. F1 = 2 |shared| / (|answer| + |target|).

    Where nothing is left of a text ("The.", "?!", spaces), there are no words to share: 1 if both
    texts are the same but for case and spaces, else 0. Text without spaces between words, such as
    Chinese, is one word a clause.

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
    # Punctuation is taken out, not made a space, as in the published script: "etcd's" is one word.
    kept = "".join(letter for letter in text.lower() if not _is_punctuation(letter))
    return [word for word in kept.split() if word not in _ARTICLES]


def _is_punctuation(letter: str) -> bool:
    # The published script knows ASCII alone; models write curly quotes and dashes, too.
    return letter in string.punctuation or unicodedata.category(letter).startswith("P")
