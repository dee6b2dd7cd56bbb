"""Reader (the language model that measures) that runs a causal model of transformers in this process.

A unit is a chunk or a sentence that can be removed from the prompt. A mask says which units are kept.
"""

import copy
import math
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from contextsvc.adapters.language_models.causal_models import (
    end_tokens,
    first_tokens,
    has_sliding_window,
    layout_of,
    load,
    window_tokens,
)
from contextsvc.adapters.language_models.masked_scoring import (
    StateCache,
    States,
    num_copies_a_pass,
    read_in_blocks,
    read_in_order,
    score_copies,
    token_log_probs,
)
from contextsvc.adapters.language_models.prompt_layout import (
    LAYOUT_VERSION,
    REFUSAL,
    PromptTokens,
    check_masks,
)
from contextsvc.adapters.models.torch_runtime import (
    model_folder,
    model_name,
    resolve_precision,
    set_num_threads,
    short_digest,
    weights_hash,
)
from contextsvc.errors import InvalidRequest, ReaderFault, SettingError
from contextsvc.ports import NO_LIMITS, Answer, Limits, Prompt, Scores
from contextsvc.ports.reading import Cost, Outcome
from contextsvc.records.arrays import BoolArray
from contextsvc.records.fingerprints import Fingerprint

PROBE_TOLERANCE = 0.5
"""Largest accepted difference between reading a prompt whole and reading it in parts, in nats per token.

Rounding in bfloat16 stays far below this value. A model whose states cannot be split exceeds it.
"""

MODES = ("blocks", "masked", "exact")
"""Scoring modes.

`blocks` reads each unit once and separately. `masked` reads the units once, in order. `exact` runs one full
pass per mask.
"""


class TransformersReader:
    """A `ports.Reader` with one model in one precision.

    Mode `exact` reads the whole prompt again for each mask. Modes `masked` (in order) and `blocks` read each
    unit (a chunk or a sentence that can be removed) only once; see `masked_scoring`.

    Units, query and target are tokenised as plain text, even if they look like special tokens of the
    template.

    Thread-safe.
    """

    def __init__(
        self,
        model: str | Path,
        precision: str = "auto",
        num_threads: int = 0,
        answer_max_tokens: int = 48,
        mode: str = MODES[0],
        state_bytes: int = 512_000_000,
        device: str = "cpu",
    ) -> None:
        """Load a model from a folder (without network access) or by hub name.

        Args:
            model: Folder of the model, or its name on the hub.
            precision: `auto`, `float32` or `bfloat16`.
            num_threads: Number of torch threads; 0 means one per core.
            answer_max_tokens: Maximum number of tokens of an answer.
            mode: One of `MODES`.
            state_bytes: Memory for the unit states that mode `blocks` keeps for later prompts, in bytes.
            device: Device name of torch.

        Raises:
            SettingError: the model does not exist or cannot be loaded, the precision or mode is unknown, or
                the model's states cannot be split by unit although the mode is not `exact`.
        """
        if mode not in MODES:
            raise SettingError(f"the reader's mode is {mode!r}; expected one of {', '.join(MODES)}")
        precision = resolve_precision(precision)
        set_num_threads(num_threads)
        folder = model_folder(model)
        self._tokenizer, self._model = load(folder, precision, device)
        self._writer: Any = None
        self._lock = threading.Lock()
        self._mode, self._cache = mode, StateCache(state_bytes)
        self._layout = layout_of(self._tokenizer)
        self._bos = first_tokens(self._tokenizer)
        self._stops = end_tokens(self._tokenizer, self._model)
        self._window_tokens = window_tokens(self._model)
        self._answer_max_tokens = answer_max_tokens
        self._name = model_name(model)
        layout = short_digest([LAYOUT_VERSION, repr(self._layout), list(self._bos)], 8)
        self._fingerprint = Fingerprint(
            name=self._name,
            weights=weights_hash(folder),
            precision=precision,
            usage=(mode, layout),
            answer_max_tokens=answer_max_tokens,
        )
        if mode != "exact":
            self._require_separable_states()

    @property
    def fingerprint(self) -> Fingerprint:
        """Name, weights, precision, scoring mode, digest of the prompt layout, and maximum answer length."""
        return self._fingerprint

    @property
    def name(self) -> str:
        """Name of the folder, or the hub name without its owner."""
        return self._name

    @property
    def outcome(self) -> Outcome:
        """Kind of score: always `log-probability`."""
        return "log-probability"

    def answer(self, prompt: Prompt) -> Answer:
        """Answer by greedy decoding from all units. The answer is never empty.

        If several tokens are equally likely, the one with the lowest id is chosen.

        Raises:
            InvalidRequest: the prompt leaves no room for an answer in the model's window.
        """
        started = time.perf_counter()
        read = self._tokenise(prompt, "").kept([True] * len(prompt.units))
        self._check_window(len(read) + 1)
        room = min(self._answer_max_tokens, self._window_tokens - len(read))
        written, num_passes = self._decode(read, room)
        text = self._tokenizer.decode(written, skip_special_tokens=True)
        if self._layout.answer_end:
            text = text.strip().partition(self._layout.answer_end)[0]
        cost = Cost(num_passes, len(read) + len(written), time.perf_counter() - started)
        return Answer(text.strip() or REFUSAL, cost)

    def score(self, prompt: Prompt, masks: BoolArray, target: str, limits: Limits = NO_LIMITS) -> Scores:
        """Score target and question under each mask; see `ports.Reader.score`.

        One reader call, as the cost counts it, is one forward pass.

        Raises:
            ShapeError: the masks are not (num_masks, num_units).
            InvalidRequest: the target is empty, or prompt and target do not fit the model's window.
        """
        started = time.perf_counter()
        check_masks(masks, len(prompt.units))
        tokens = self._tokenise(prompt, target)
        if not target.strip() or not tokens.target:
            raise InvalidRequest("the target is empty; expected the text whose likelihood is measured")
        distinct = list(dict.fromkeys(map(tuple, masks.tolist())))
        self._check_window(self._longest(tokens, prompt, distinct))
        spent, scored = Cost(), dict.fromkeys(distinct, (math.nan, math.nan))
        passes = iter(()) if limits.reached else self._scored(prompt, tokens, distinct)
        for found, num_tokens in passes:
            spent = Cost(
                spent.reader_calls + 1, spent.reader_tokens + num_tokens, time.perf_counter() - started
            )
            scored.update(found)
            if limits.less(spent).reached:
                break
        both = np.array([scored[tuple(mask)] for mask in masks.tolist()], dtype=np.float64).reshape(-1, 2)
        return Scores(both[:, 1], replace(spent, seconds=time.perf_counter() - started), both[:, 0])

    def _scored(
        self, prompt: Prompt, tokens: PromptTokens, masks: Sequence[tuple[bool, ...]]
    ) -> Iterator[tuple[dict[tuple[bool, ...], tuple[float, float]], int]]:
        """Yield (results, number of tokens read) of each pass.

        The results are (mean of the question, mean of the target) for each mask that the pass scored.
        """
        if self._mode == "exact" or not masks:
            for mask in masks:
                kept = tokens.kept(mask)
                found = {mask: self._means(tokens, self._read_whole(tokens, kept))}
                yield found, len(kept) + len(tokens.target)
            return
        states = self._states(prompt, tokens)
        for num_read in states.reads:
            yield {}, num_read
        size = num_copies_a_pass(tokens)
        for start in range(0, len(masks), size):
            rows = masks[start : start + size]
            log_probs = score_copies(self._model, states, tokens, np.array(rows, dtype=np.bool_))
            read = len(rows) * len(tokens.suffix)
            yield {mask: self._means(tokens, row) for mask, row in zip(rows, log_probs, strict=True)}, read

    def _longest(self, tokens: PromptTokens, prompt: Prompt, masks: Sequence[tuple[bool, ...]]) -> int:
        """Return the number of positions of the longest pass.

        Modes `masked` and `blocks` also read the removed units.
        """
        if self._mode == "exact" or not masks:
            return max((len(tokens.kept(mask)) + len(tokens.target) for mask in masks), default=0)
        lengths = [len(unit) for unit in tokens.units]
        if self._mode == "blocks":
            sums: dict[int, int] = {}
            for block, length in zip(prompt.blocks or range(len(lengths)), lengths, strict=True):
                sums[block] = sums.get(block, 0) + length
            return len(tokens.head) + max(sums.values(), default=0) + len(tokens.suffix) + 1
        asides = [length for length, apart in zip(lengths, prompt.isolated, strict=False) if apart]
        # An isolated unit uses the same positions as the text after it, so it adds no length of its own.
        text = len(tokens.head) + sum(lengths) - sum(asides)
        return text + max(len(tokens.suffix) + 1, *asides, 0)

    def _states(self, prompt: Prompt, tokens: PromptTokens) -> States:
        if self._mode == "masked":
            return read_in_order(self._model, tokens, prompt.isolated)
        blocks = prompt.blocks or range(len(prompt.units))
        with self._lock:
            return read_in_blocks(self._model, tokens, blocks, self._cache)

    def _require_separable_states(self) -> None:
        """Raise if the scores of the model change when its prompt is read in parts.

        Examples are models with ALiBi and state space models.
        """
        prompt, keep = Prompt(("The sky is blue.\n\n",), "What colour is the sky?"), np.ones((1, 1), np.bool_)
        tokens = self._tokenise(prompt, "blue")
        try:
            parts = float(score_copies(self._model, read_in_order(self._model, tokens), tokens, keep).mean())
        except (ValueError, RuntimeError, TypeError, AttributeError, IndexError):
            parts = math.inf
        whole = float(self._read_whole(tokens, tokens.kept([True])).mean())
        broken = math.isfinite(whole) and not abs(parts - whole) < PROBE_TOLERANCE
        if has_sliding_window(self._model) or broken:
            raise SettingError(
                f"{self._name} cannot be read in parts, which mode {self._mode!r} requires (it has a sliding "
                "window or another kind of memory); set CONTEXTSVC_READER_MODE=exact"
            )

    def _means(self, tokens: PromptTokens, log_probs: torch.Tensor) -> tuple[float, float]:
        """Return the mean log-probability of the question and of the target.

        Args:
            tokens: Tokens of prompt and target.
            log_probs: Log-probabilities of `tokens.predicted`.
        """
        first = len(log_probs) - len(tokens.target)
        question = float(log_probs[:first].mean()) if first else 0.0
        target = float(log_probs[first:].mean())
        if not math.isfinite(question + target):
            bad = target if math.isfinite(question) else question
            raise ReaderFault(
                f"{self._name} gave a score of {bad}, expected a finite number; "
                "try CONTEXTSVC_PRECISION=float32"
            )
        return question, target

    def _read_whole(self, tokens: PromptTokens, kept: list[int]) -> torch.Tensor:
        """Compute the log-probabilities of `tokens.predicted` by one pass over the kept prompt."""
        length = len(tokens.suffix)
        logits = self._forward(self._model, [*kept, *tokens.target[:-1]], length, None).logits[0]
        places, predicted = torch.tensor(tokens.predicted, device=logits.device).T
        return token_log_probs(logits[places], predicted)

    def _decode(self, read: list[int], room: int) -> tuple[list[int], int]:
        """Return the generated tokens without the end token, and the number of forward passes."""
        writer = self._writing_model()
        written: list[int] = []
        step = self._forward(writer, read, 1, True)
        for num_passes in range(1, room + 1):
            token = int(step.logits[0, -1].argmax())
            if token in self._stops:
                return written, num_passes
            written.append(token)
            if num_passes < room:
                step = self._forward(writer, [token], 1, True, step.past_key_values)
        return written, room

    def _writing_model(self) -> Any:
        """Return a model with the same weights in float32, because a CPU decodes more slowly in bfloat16.

        If the model already runs in float32 or not on a CPU, the model itself is returned.
        """
        if self._model.device.type != "cpu" or self._model.dtype == torch.float32:
            return self._model
        with self._lock:
            if self._writer is None:
                self._writer = copy.deepcopy(self._model).float()
        return self._writer

    def _forward(
        self, model: Any, tokens: list[int], num_logits: int, cache: bool | None, past: Any = None
    ) -> Any:
        """Run one forward pass that computes only the last `num_logits` rows of logits."""
        with torch.inference_mode():
            ids = torch.tensor([tokens], device=model.device)
            return model(
                input_ids=ids, logits_to_keep=num_logits, use_cache=bool(cache), past_key_values=past
            )

    def _tokenise(self, prompt: Prompt, target: str) -> PromptTokens:
        layout = self._layout
        return PromptTokens(
            self._bos + self._token_ids(layout.head, special=True),
            tuple(self._token_ids(text) for text in prompt.units),
            self._token_ids(layout.question(prompt.query)),
            self._token_ids(layout.tail, special=True),
            self._token_ids(layout.target(target)) if target else (),
        )

    def _token_ids(self, text: str, special: bool = False) -> tuple[int, ...]:
        with self._lock:  # a fast tokenizer keeps these options as shared state
            encoded = self._tokenizer(
                text, add_special_tokens=False, split_special_tokens=not special, verbose=False
            )
        return tuple(encoded["input_ids"])

    def _check_window(self, num_tokens: int) -> None:
        if num_tokens > self._window_tokens:
            raise InvalidRequest(
                f"prompt and target have {num_tokens} tokens; the window of {self._name} holds "
                f"{self._window_tokens}; use a smaller budget or a reader with a larger window"
            )
