"""How a reader's prompt is laid out: the one place, pure, shared by every way of scoring.

Instruction, kept units, question, then the target as the model's own turn. Each piece is tokenised by
itself, so removing a unit removes exactly its tokens and leaves all others as they are. Joint tokenising
would merge characters across the seams, and a unit's effect would hold a change of its neighbours' tokens.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from contextsvc.errors import SettingError, ShapeError
from contextsvc.records.arrays import BoolArray

LAYOUT_VERSION = 2
"""Part of every reader's fingerprint: raise it when a change here moves scores."""

INSTRUCTION = "Answer the question in one or two sentences, using only the sources below."
_HOLE = "<<the sources and the question>>"

REFUSAL = "I do not know."
"""The answer of a model that writes nothing."""


@dataclass(frozen=True, slots=True)
class PromptLayout:
    """The fixed text around units and question.

    Attributes:
        head: Before the units; may hold special tokens.
        tail: Between question and target; may hold special tokens.
        target_lead: Put in front of the target.
        answer_end: Text at which an answer ends, besides the model's own end token; empty: none.
    """

    head: str
    tail: str
    target_lead: str
    answer_end: str

    def question(self, query: str) -> str:
        """The question as it stands after the units."""
        return f"Question: {query}"

    def target(self, text: str) -> str:
        """The target as it stands after the tail."""
        return self.target_lead + text


def chat_layout(render: Callable[[str], str]) -> PromptLayout:
    """Around a model's chat template.

    Args:
        render: One user message -> the conversation up to where the assistant's turn begins.

    Raises:
        SettingError: the template does not hold the message as it is.
    """
    head, hole, tail = render(f"{INSTRUCTION}\n\n{_HOLE}").partition(_HOLE)
    if not hole:
        raise SettingError("the reader's chat template does not hold the user's message; use another reader")
    return PromptLayout(head, tail, "", "")


def completion_layout() -> PromptLayout:
    """For a model without a chat template: text to be continued.

    Such a model goes on with questions of its own, so its answer ends at the first blank line.
    """
    return PromptLayout(f"{INSTRUCTION}\n\n", "\nAnswer:", " ", "\n\n")


@dataclass(frozen=True, slots=True)
class PromptTokens:
    """A prompt in a model's tokens, piece by piece, and a target (empty when an answer is wanted)."""

    head: tuple[int, ...]
    units: tuple[tuple[int, ...], ...]
    question: tuple[int, ...]
    tail: tuple[int, ...]
    target: tuple[int, ...]

    @property
    def own(self) -> tuple[int, ...]:
        """What a copy of question and target reads: the target's last token predicts nothing asked for."""
        return (*self.question, *self.tail, *self.target[:-1])

    @property
    def asked(self) -> tuple[tuple[int, int], ...]:
        """(place in `own` that predicts it, token): the question after its first, then the target."""
        question = enumerate(self.question[1:])
        target = enumerate(self.target, start=len(self.own) - len(self.target))
        return (*question, *target)

    def kept(self, mask: Sequence[bool]) -> list[int]:
        """The prompt without the units whose mask is False, without the target."""
        units = [token for unit, keep in zip(self.units, mask, strict=True) if keep for token in unit]
        return [*self.head, *units, *self.question, *self.tail]


def check_masks(masks: BoolArray, num_units: int) -> None:
    """Refuse masks of another shape than (num_masks, num_units).

    Raises:
        ShapeError: as said.
    """
    if masks.ndim != 2 or masks.shape[1] != num_units:
        raise ShapeError(f"masks have shape {masks.shape}; expected (num_masks, {num_units})")
