"""Layout of a reader's prompt, shared by every scoring mode.

Order: instruction, kept units, question, then the target as the model's own turn. Each piece is tokenised
separately, so removing a unit removes exactly its tokens. Rejected: tokenising the whole prompt, which merges
characters across borders, so that removing a unit would also change its neighbours' tokens.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from contextsvc.errors import SettingError, ShapeError
from contextsvc.records.arrays import BoolArray

LAYOUT_VERSION = 2
"""Part of every reader's fingerprint. Increase it when a change here changes scores."""

INSTRUCTION = "Answer the question in one or two sentences, using only the sources below."
_HOLE = "<<the sources and the question>>"

REFUSAL = "I do not know."
"""Answer used when a model writes nothing."""


@dataclass(frozen=True, slots=True)
class PromptLayout:
    """Fixed text around units and question. Its `repr` is part of fingerprints.

    Attributes:
        head: Text before the units; may contain special tokens.
        tail: Text between question and target; may contain special tokens.
        target_lead: Text put directly before the target.
        answer_end: Text that ends an answer, besides the model's end token; empty: none.
    """

    head: str
    tail: str
    target_lead: str
    answer_end: str

    def question(self, query: str) -> str:
        """Text of the question, placed after the units."""
        return f"Question: {query}"

    def target(self, text: str) -> str:
        """Text of the target, placed after the tail."""
        return self.target_lead + text


def chat_layout(render: Callable[[str], str]) -> PromptLayout:
    """Layout made from a chat template.

    Args:
        render: Turns one user message into the conversation, up to the start of the assistant's turn.

    Raises:
        SettingError: the template does not contain the message unchanged.
    """
    head, hole, tail = render(f"{INSTRUCTION}\n\n{_HOLE}").partition(_HOLE)
    if not hole:
        raise SettingError(
            "the reader's chat template changes the user's message, expected it unchanged; "
            "set CONTEXTSVC_READER to another model"
        )
    return PromptLayout(head, tail, "", "")


def completion_layout() -> PromptLayout:
    """Layout for a model without a chat template, which continues a text.

    An answer ends at the first blank line, because such a model then continues with new questions.
    """
    return PromptLayout(f"{INSTRUCTION}\n\n", "\nAnswer:", " ", "\n\n")


@dataclass(frozen=True, slots=True)
class PromptTokens:
    """Token ids of a prompt, by piece, and of a target; the target is empty when an answer is generated."""

    head: tuple[int, ...]
    units: tuple[tuple[int, ...], ...]
    question: tuple[int, ...]
    tail: tuple[int, ...]
    target: tuple[int, ...]

    @property
    def suffix(self) -> tuple[int, ...]:
        """Tokens of one copy: question, tail, and target without its last token, which predicts nothing."""
        return (*self.question, *self.tail, *self.target[:-1])

    @property
    def predicted(self) -> tuple[tuple[int, int], ...]:
        """(position in `suffix` that predicts it, token) of each scored token: question[1:], then target."""
        question = enumerate(self.question[1:])
        target = enumerate(self.target, start=len(self.suffix) - len(self.target))
        return (*question, *target)

    def kept(self, mask: Sequence[bool]) -> list[int]:
        """Tokens of the prompt with the units whose mask is True, without the target."""
        units = [token for unit, keep in zip(self.units, mask, strict=True) if keep for token in unit]
        return [*self.head, *units, *self.question, *self.tail]


def check_masks(masks: BoolArray, num_units: int) -> None:
    """Check that masks are (num_masks, num_units).

    Raises:
        ShapeError: they have another shape.
    """
    if masks.ndim != 2 or masks.shape[1] != num_units:
        raise ShapeError(f"masks have shape {masks.shape}; expected (num_masks, {num_units})")
