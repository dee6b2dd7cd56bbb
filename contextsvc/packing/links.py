"""Links between documents that name each other. A link finds the second document of a question.

A question is often answered by two documents together but names only one of them. Often one document names
the other by its title. If both are among the candidates, they are linked, and each of the two lends its score
to the other. No second search is needed. Titles are names in encyclopedias, manuals and catalogues. If no
text holds the title of another document, no score changes.
"""

import re
from collections.abc import Sequence

import numpy as np

from contextsvc.errors import ShapeError
from contextsvc.records.arrays import Float64Array, Int64Array

DEPTH = 10
"""Number of best candidates that lend their scores. It was chosen together with the weight of links
(docs/decisions/0010)."""

MAX_NAMING = 5
"""Largest number of candidates of other documents that may name a title. A title that more candidates name is
their common subject or an ordinary word, so it links nothing."""

MIN_NAME_CHARS = 4
"""Length of the shortest title that counts as a name. Shorter titles are ordinary words."""

_QUALIFIER = re.compile(r"\s*\([^()]*\)\s*$")


def link_scores(
    scores: Float64Array, documents: Int64Array, titles: Sequence[str], texts: Sequence[str]
) -> Float64Array:
    """Return the best score that linked candidates lend to each candidate.

    A candidate that names the title of another document is linked with the best candidate of that document.
    There is no link if more than `MAX_NAMING` candidates name the title. Only the `DEPTH` best candidates
    lend their scores.

    Args:
        scores: (n,) in [0, 1], score of each candidate.
        documents: (n,) number of each candidate's document.
        titles: Title of each candidate's document.
        texts: Text of each candidate.

    Returns:
        (n,) in [0, 1]. It is 0 for a candidate without a link. If candidates tie for the last of the `DEPTH`
        positions, those that come first lend.

    Raises:
        ShapeError: lengths differ.
    """
    if not len(scores) == len(documents) == len(titles) == len(texts):
        raise ShapeError(
            f"{len(scores)} scores, {len(documents)} documents, {len(titles)} titles, {len(texts)} texts"
        )
    order = np.argsort(-scores, kind="stable").tolist()
    best = {int(documents[place]): place for place in reversed(order)}
    lenders = frozenset(order[:DEPTH])
    # Most names are in no text at all, so all texts are searched at once first.
    everything = "\n".join(texts)
    lent = np.zeros(len(scores))
    for document, named in best.items():
        name = name_in_title(titles[named])
        if not name or name not in everything:
            continue
        naming = [n for n in order if documents[n] != document and names(texts[n], name)]
        if len(naming) > MAX_NAMING:
            continue
        for other in naming:
            for lender, borrower in ((other, named), (named, other)):
                if lender in lenders:
                    lent[borrower] = max(lent[borrower], scores[lender])
    return lent


def name_in_title(title: str) -> str:
    """Return the name that other texts use: the title without a qualifier in brackets.

    If the name is too short, the result is empty.

    >>> name_in_title("Mercury (planet)"), name_in_title(" The Republic "), name_in_title("FAQ")
    ('Mercury', 'The Republic', '')
    """
    name = _QUALIFIER.sub("", title).strip()
    return name if len(name) >= MIN_NAME_CHARS else ""


def names(text: str, name: str) -> bool:
    """Return whether a text holds a name as separate words, with the same upper and lower case letters.

    An empty name is in no text.

    >>> names("She led the Hall of Mirrors.", "Mirrors"), names("Mirrorside", "Mirror"), names("Any", "")
    (True, False, False)
    """
    start = text.find(name) if name else -1
    while start >= 0:
        before, after = text[start - 1 : start], text[start + len(name) : start + len(name) + 1]
        if not (_in_word(before) or _in_word(after)):
            return True
        start = text.find(name, start + 1)
    return False


def _in_word(character: str) -> bool:
    return character.isalnum() or character == "_"
