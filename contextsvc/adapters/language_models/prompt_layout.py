"""Layout of the prompt for a reader (the language model that measures), shared by every scoring mode.

The order is: instruction, kept units, question, then the target as the model's own turn. A unit is a chunk or
a sentence that can be removed. The target is the answer that is scored. Each piece is tokenised separately,
so removing a unit removes exactly its own tokens. Rejected: tokenising the whole prompt. It merges characters
across the borders of pieces, so removing a unit would also change its neighbours' tokens.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from contextsvc.errors import SettingError, ShapeError
from contextsvc.records.arrays import BoolArray

LAYOUT_VERSION = 2
"""Version of the layout, part of every reader's fingerprint.

Increase the version when a change in this module changes scores.
"""

INSTRUCTION = "Answer the question in one or two sentences, using only the sources below."
_HOLE = "<<the sources and the question>>"

REFUSAL = "I do not know."
"""Answer that is used when a model writes nothing."""


@dataclass(frozen=True, slots=True)
class PromptLayout:
    """Fixed text around the units (removable pieces of context) and the question.

    The `repr` of a layout is part of fingerprints.

    Attributes:
        head: Text before the units; may contain special tokens.
        tail: Text between question and target; may contain special tokens.
        target_lead: Text put directly before the target.
        answer_end: Text that ends an answer, besides the model's end token; empty if there is no such text.
    """

    head: str
    tail: str
    target_lead: str
    answer_end: str

    def question(self, query: str) -> str:
        """Format the question, which is placed after the units."""
        return f"Question: {query}"

    def target(self, text: str) -> str:
        """Format the target (the answer that is scored), which is placed after the tail."""
        return self.target_lead + text


def chat_layout(render: Callable[[str], str]) -> PromptLayout:
    """Build the layout from a chat template.

    Args:
        render: Function from one user message to the conversation, up to the start of the assistant's turn.

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
    """Return the layout for a model without a chat template, which only continues a text.

    An answer ends at the first blank line, because such a model then continues with new questions.
    """
    return PromptLayout(f"{INSTRUCTION}\n\n", "\nAnswer:", " ", "\n\n")


@dataclass(frozen=True, slots=True)
class PromptTokens:
    """Token ids of the pieces of a prompt, and of a target (the answer that is scored).

    The target is empty when the model generates an answer.
    """

    head: tuple[int, ...]
    units: tuple[tuple[int, ...], ...]
    question: tuple[int, ...]
    tail: tuple[int, ...]
    target: tuple[int, ...]

    @property
    def suffix(self) -> tuple[int, ...]:
        """Tokens after the units: question, tail, and the target without its last token.

        The last token of the target is left out, because no scored token follows it.
        """
        return (*self.question, *self.tail, *self.target[:-1])

    @property
    def predicted(self) -> tuple[tuple[int, int], ...]:
        """The scored tokens, each as (position in `suffix` of the token before it, token).

        The logits at that position predict the token. The tokens of the question come first, without its
        first token, and then the tokens of the target.
        """
        question = enumerate(self.question[1:])
        target = enumerate(self.target, start=len(self.suffix) - len(self.target))
        return (*question, *target)

    def kept(self, mask: Sequence[bool]) -> list[int]:
        """Return the tokens of the prompt with the units whose mask is True, without the target."""
        units = [token for unit, keep in zip(self.units, mask, strict=True) if keep for token in unit]
        return [*self.head, *units, *self.question, *self.tail]


def check_masks(masks: BoolArray, num_units: int) -> None:
    """Check that masks have the shape (num_masks, num_units).

    Raises:
        ShapeError: the masks have another shape.
    """
    if masks.ndim != 2 or masks.shape[1] != num_units:
        raise ShapeError(f"masks have shape {masks.shape}; expected (num_masks, {num_units})")
