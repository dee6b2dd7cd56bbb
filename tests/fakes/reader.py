"""A reader whose numbers a person can work out."""

import math
from collections.abc import Mapping

import numpy as np

from contextsvc.adapters.language_models.prompt_layout import check_masks
from contextsvc.errors import InvalidRequest
from contextsvc.ports import NO_LIMITS, Answer, Limits, Prompt, Scores
from contextsvc.ports.reading import Cost, Outcome
from contextsvc.records.arrays import BoolArray
from contextsvc.records.fingerprints import Fingerprint

FOUND = -1.0
NOT_FOUND = -3.0


class FakeReader:
    """Scores a target by whether it stands in a kept unit.

    score = -1 if some kept unit contains the target (whatever the case), else -3, plus the `effects` of
    kept units: `effects` maps a part of a unit's text to the nats it adds. The answer is `answer_text`
    if given, else the first sentence of the first unit, else "I do not know."

    Tokens are words between spaces. A call is a distinct mask. Limits are checked before each call, so the
    last call may exceed the limit of tokens. Seconds are always 0. The blocks of a prompt do not matter.
    """

    def __init__(
        self,
        effects: Mapping[str, float] | None = None,
        answer_text: str = "",
        window_tokens: int = 8192,
        name: str = "fake-reader",
    ) -> None:
        self._effects = dict(effects or {})
        self._answer_text = answer_text
        self._window_tokens = window_tokens
        self._name = name

    @property
    def fingerprint(self) -> Fingerprint:
        """Name and all that moves its numbers."""
        return Fingerprint(name=self._name, usage=(str(sorted(self._effects.items())), self._answer_text))

    @property
    def name(self) -> str:
        """As given."""
        return self._name

    @property
    def outcome(self) -> Outcome:
        """Passes for log-probability."""
        return "log-probability"

    def answer(self, prompt: Prompt) -> Answer:
        """Fixed text or the first unit's first sentence."""
        read = self._num_tokens(prompt.units, prompt.query, "")
        first = prompt.units[0].partition(". ")[0] if prompt.units else ""
        text = self._answer_text or first.strip() or "I do not know."
        return Answer(text, Cost(1, read + len(text.split())))

    def score(self, prompt: Prompt, masks: BoolArray, target: str, limits: Limits = NO_LIMITS) -> Scores:
        """The formula above, until a limit is reached."""
        check_masks(masks, len(prompt.units))
        if not target.strip():
            raise InvalidRequest("the target is empty; expected the text whose likelihood is measured")
        kept_by_mask = {
            mask: [unit for unit, keep in zip(prompt.units, mask, strict=True) if keep]
            for mask in map(tuple, masks.tolist())
        }
        lengths = [self._num_tokens(kept, prompt.query, target) for kept in kept_by_mask.values()]
        spent, scored = Cost(), dict.fromkeys(kept_by_mask, math.nan)
        for (mask, kept), length in zip(kept_by_mask.items(), lengths, strict=True):
            if limits.less(spent).reached:
                break
            scored[mask] = self._score(kept, target)
            spent = spent + Cost(1, length)
        values = [scored[tuple(mask)] for mask in masks.tolist()]
        return Scores(np.array(values, dtype=np.float64), spent)

    def _score(self, kept: list[str], target: str) -> float:
        found = any(target.lower() in unit.lower() for unit in kept)
        added = sum(effect for part, effect in self._effects.items() for unit in kept if part in unit)
        return (FOUND if found else NOT_FOUND) + added

    def _num_tokens(self, units: tuple[str, ...] | list[str], query: str, target: str) -> int:
        num_tokens = sum(len(text.split()) for text in (*units, query, target))
        if num_tokens > self._window_tokens:
            raise InvalidRequest(
                f"prompt and target have {num_tokens} tokens; the window of {self._name} holds "
                f"{self._window_tokens}"
            )
        return num_tokens
