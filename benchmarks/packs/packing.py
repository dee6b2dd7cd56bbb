"""Ranked passages -> a pack within a budget: the same way for every side that makes none by itself."""

from collections.abc import Callable, Sequence

SEPARATOR = "\n\n"
MARGIN_TOKENS = 16
"""Tokens of two parts and of the whole differ by less at their seam: what would lie further past the budget
is not counted again."""


def packed(texts: Sequence[str], budget_tokens: int, count: Callable[[str], int]) -> tuple[list[int], int]:
    """Take texts in their order, each that still fits: one that does not is skipped, and the next is tried.

    The texts are joined by a blank line; spaces at their edges are left out, and texts of spaces alone.

    Args:
        texts: Best first.
        budget_tokens: Most tokens of the whole.
        count: Tokens of a text.

    Returns:
        Numbers of the texts taken, and the tokens of the whole: counted on the whole.

    >>> packed(["one two", "three four five", "six"], 3, lambda text: len(text.split()))
    ([0, 2], 3)
    """
    taken: list[int] = []
    whole, num_tokens = "", 0
    for number, text in enumerate(map(str.strip, texts)):
        own = count(text + SEPARATOR) if text else 0
        if not text or num_tokens + own > budget_tokens + MARGIN_TOKENS:
            continue
        trial = whole + SEPARATOR + text if taken else text
        found = count(trial)
        if found <= budget_tokens:
            taken.append(number)
            whole, num_tokens = trial, found
    return taken, num_tokens
