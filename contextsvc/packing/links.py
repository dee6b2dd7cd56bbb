"""Links between documents that name each other: the second document of a question, without a second search.

A question is often answered by two documents of which it names only one; that one names the other by its
title. Such a pair among the candidates is linked, and each of the two lends its score to the other. Titles
are names in encyclopedias, manuals and catalogues; where no text holds another document's title, nothing
changes.
"""

import re
from collections.abc import Sequence

import numpy as np

from contextsvc.errors import ShapeError
from contextsvc.records.arrays import Float64Array, Int64Array

DEPTH = 10
"""Number of best candidates that lend their scores. Chosen with the weight of links (docs/decisions/0010)."""

MAX_NAMING = 5
"""Most candidates of other documents that may name a title. A title that more of them name is their common
subject or an ordinary word, and links nothing."""

MIN_NAME_CHARS = 4
"""Length of the shortest title that counts as a name; shorter ones are ordinary words."""

_QUALIFIER = re.compile(r"\s*\([^()]*\)\s*$")


def link_scores(
    scores: Float64Array, documents: Int64Array, titles: Sequence[str], texts: Sequence[str]
) -> Float64Array:
    """For each candidate the best score that a candidate linked to it lends.

    A candidate that names the title of another document is linked with the best candidate of that document,
    unless more than `MAX_NAMING` candidates name the title. The `DEPTH` best candidates of all lend.

    Args:
        scores: (n,) in [0, 1].
        documents: (n,) number of each candidate's document.
        titles: Title of each candidate's document.
        texts: Text of each candidate.

    Returns:
        (n,) in [0, 1], 0 for a candidate without a link. Of equal scores the first candidates lend.

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
    # Most names are in no text at all: one look at all texts tells.
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
    """The name that other texts use: the title without a qualifier in brackets; empty if that is too short.

    >>> name_in_title("Mercury (planet)"), name_in_title(" The Republic "), name_in_title("FAQ")
    ('Mercury', 'The Republic', '')
    """
    name = _QUALIFIER.sub("", title).strip()
    return name if len(name) >= MIN_NAME_CHARS else ""


def names(text: str, name: str) -> bool:
    """Whether a text holds a name as words of its own, in the same case; an empty name is in no text.

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
