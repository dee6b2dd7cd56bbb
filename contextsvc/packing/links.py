"""Documents that name each other: what the evidence of one leads to, found without a second search.

A question is often answered by two documents of which it names but one; that one names the other by its
title. Among the candidates such a pair is linked, and each lends the other of its score. Titles are names
where people give them so, in encyclopedias, manuals and catalogues; where no text holds another's title,
nothing changes.
"""

import re
from collections.abc import Sequence

import numpy as np

from contextsvc.errors import ShapeError
from contextsvc.records.arrays import Float64Array, Int64Array

DEPTH = 10
"""Best candidates that lend. Chosen with the weight of links (docs/decisions/0010)."""

MOST_NAMING = 5
"""Candidates of other documents that may name a title: one that more of them name is their common subject,
or a word like others, and links nothing."""

SHORTEST_NAME = 4
"""In characters: shorter titles are words like others."""

_QUALIFIER = re.compile(r"\s*\([^()]*\)\s*$")


def name_of(title: str) -> str:
    """What other texts would call it: the title without a qualifier in brackets; empty if that is too short.

    >>> name_of("Mercury (planet)"), name_of(" The Republic "), name_of("FAQ")
    ('Mercury', 'The Republic', '')
    """
    name = _QUALIFIER.sub("", title).strip()
    return name if len(name) >= SHORTEST_NAME else ""


def names(text: str, name: str) -> bool:
    """Whether a text holds a name as words of its own, in the same case; an empty name is in none.

    >>> names("She led the Hall of Mirrors.", "Mirrors"), names("Mirrorside", "Mirror"), names("Any", "")
    (True, False, False)
    """
    start = text.find(name) if name else -1
    while start >= 0:
        before, after = text[start - 1 : start], text[start + len(name) : start + len(name) + 1]
        if not (_of_a_word(before) or _of_a_word(after)):
            return True
        start = text.find(name, start + 1)
    return False


def linked(
    scores: Float64Array, documents: Int64Array, titles: Sequence[str], texts: Sequence[str]
) -> Float64Array:
    """For each candidate the best score among those linked to it that belong to the `DEPTH` best of all.

    A candidate that names the title of another document is linked with the best candidate of that one, unless
    more than `MOST_NAMING` name it.

    Args:
        scores: (n,) in [0, 1].
        documents: (n,) number of each candidate's document.
        titles: Of each candidate's document.
        texts: Of the candidates.

    Returns:
        (n,) in [0, 1], 0 where nothing is linked. Of equal scores the first candidates lend.

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
    found = np.zeros(len(scores))
    for document, named in best.items():
        name = name_of(titles[named])
        if not name or name not in everything:
            continue
        naming = [n for n in order if documents[n] != document and names(texts[n], name)]
        if len(naming) > MOST_NAMING:
            continue
        for one in naming:
            for lender, borrower in ((one, named), (named, one)):
                if lender in lenders:
                    found[borrower] = max(found[borrower], scores[lender])
    return found


def _of_a_word(character: str) -> bool:
    return character.isalnum() or character == "_"
