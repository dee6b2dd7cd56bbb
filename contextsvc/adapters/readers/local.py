"""Reader: any causal language model of transformers, scoring by `exact`, `masked` or `blocks` passes."""

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

from contextsvc.adapters.models.torch_runtime import (
    model_folder,
    model_name,
    resolve_precision,
    set_num_threads,
    short_digest,
    weights_hash,
)
from contextsvc.adapters.readers.causal_models import (
    end_tokens,
    first_tokens,
    forgets,
    layout_of,
    load,
    window_tokens,
)
from contextsvc.adapters.readers.masked_scoring import (
    StateCache,
    States,
    log_chances,
    num_copies_a_pass,
    read_in_blocks,
    read_in_order,
    score_copies,
)
from contextsvc.adapters.readers.prompt_layout import LAYOUT_VERSION, REFUSAL, PromptTokens, check_masks
from contextsvc.errors import InvalidRequest, ReaderFault, SettingError
from contextsvc.ports import NO_LIMITS, Answer, Limits, Prompt, Scores
from contextsvc.ports.reading import Cost, Outcome
from contextsvc.records.arrays import BoolArray
from contextsvc.records.fingerprints import Fingerprint

PROBE_TOLERANCE = 0.5
"""Nats a token: far more than bfloat16 moves a number, less than a model that is read wrongly is off by."""

MODES = ("blocks", "masked", "exact")
"""How masks are scored: each unit read for itself, the units once in order, or a pass for each mask."""


class TransformersReader:
    """Scores and answers with one model in one precision.

    Modes: `exact` reads the whole prompt anew for each mask; `masked` and `blocks` as in
    `masked_scoring`, in order and in blocks.

    Units, query and target are read as plain text, even where they look like the template's
    special tokens.

    Several threads may call one reader at a time.
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
        """Load from a folder (without any network) or by hub name.

        Args:
            model: Folder or hub name.
            precision: `auto`, `float32` or `bfloat16`.
            num_threads: Of torch; 0: one a core.
            answer_max_tokens: Longest answer it writes.
            mode: One of `MODES`.
            state_bytes: Memory for states of units that `blocks` keeps for the next prompt.
            device: Where the model runs, as torch names it.

        Raises:
            SettingError: no such model, it cannot be loaded, an unknown precision or mode, or a model
                whose states cannot be taken apart in any mode but `exact`.
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
            self._require_parts()

    @property
    def fingerprint(self) -> Fingerprint:
        """Name, weights, precision, scoring mode, a digest of the prompt layout, and answer length."""
        return self._fingerprint

    @property
    def name(self) -> str:
        """The folder's own name, or the hub name without its owner."""
        return self._name

    @property
    def outcome(self) -> Outcome:
        """Always log-probability."""
        return "log-probability"

    def answer(self, prompt: Prompt) -> Answer:
        """Greedy decoding from the whole prompt, the first of equal tokens; never empty.

        Raises:
            InvalidRequest: the prompt leaves no room in the model's window.
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
        """As the port says, of question and target; a call is a pass of the model.

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
        """A pass at a time: means of question and target under the masks it settled, and tokens it read."""
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
            chances = score_copies(self._model, states, tokens, np.array(rows, dtype=np.bool_))
            read = len(rows) * len(tokens.own)
            yield {mask: self._means(tokens, row) for mask, row in zip(rows, chances, strict=True)}, read

    def _longest(self, tokens: PromptTokens, prompt: Prompt, masks: Sequence[tuple[bool, ...]]) -> int:
        """Positions that the longest reading takes; `masked` and `blocks` read what is removed, too."""
        if self._mode == "exact" or not masks:
            return max((len(tokens.kept(mask)) + len(tokens.target) for mask in masks), default=0)
        lengths = [len(unit) for unit in tokens.units]
        if self._mode == "blocks":
            sums: dict[int, int] = {}
            for block, length in zip(prompt.blocks or range(len(lengths)), lengths, strict=True):
                sums[block] = sums.get(block, 0) + length
            return len(tokens.head) + max(sums.values(), default=0) + len(tokens.own) + 1
        asides = [length for length, apart in zip(lengths, prompt.asides, strict=False) if apart]
        # An aside is read in the place of what follows it.
        text = len(tokens.head) + sum(lengths) - sum(asides)
        return text + max(len(tokens.own) + 1, *asides, 0)

    def _states(self, prompt: Prompt, tokens: PromptTokens) -> States:
        if self._mode == "masked":
            return read_in_order(self._model, tokens, prompt.asides)
        blocks = prompt.blocks or range(len(prompt.units))
        with self._lock:
            return read_in_blocks(self._model, tokens, blocks, self._cache)

    def _require_parts(self) -> None:
        """Refuse a model that gives other numbers when its prompt is read in parts (ALiBi, state spaces)."""
        prompt, keep = Prompt(("The sky is blue.\n\n",), "What colour is the sky?"), np.ones((1, 1), np.bool_)
        tokens = self._tokenise(prompt, "blue")
        try:
            parts = float(score_copies(self._model, read_in_order(self._model, tokens), tokens, keep).mean())
        except (ValueError, RuntimeError, TypeError, AttributeError, IndexError):
            parts = math.inf
        whole = float(self._read_whole(tokens, tokens.kept([True])).mean())
        broken = math.isfinite(whole) and not abs(parts - whole) < PROBE_TOLERANCE
        if forgets(self._model) or broken:
            raise SettingError(
                f"{self._name} cannot be read in parts, as mode {self._mode!r} does (a sliding window, or "
                "another kind of memory); set CONTEXTSVC_READER_MODE=exact"
            )

    def _means(self, tokens: PromptTokens, chances: torch.Tensor) -> tuple[float, float]:
        """Of the question and of the target, from the log-probabilities of `tokens.asked`."""
        first = len(chances) - len(tokens.target)
        question = float(chances[:first].mean()) if first else 0.0
        target = float(chances[first:].mean())
        if not math.isfinite(question + target):
            bad = target if math.isfinite(question) else question
            raise ReaderFault(f"{self._name} gave a score of {bad}; try CONTEXTSVC_PRECISION=float32")
        return question, target

    def _read_whole(self, tokens: PromptTokens, kept: list[int]) -> torch.Tensor:
        """Log-probabilities of `tokens.asked` after an ordinary reading of the kept prompt."""
        length = len(tokens.own)
        logits = self._forward(self._model, [*kept, *tokens.target[:-1]], length, None).logits[0]
        places, asked = torch.tensor(tokens.asked, device=logits.device).T
        return log_chances(logits[places], asked)

    def _decode(self, read: list[int], room: int) -> tuple[list[int], int]:
        """Tokens written before an end token, and forward passes taken."""
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
        """The same weights in float32: one token at a time a CPU multiplies bfloat16 more slowly."""
        if self._model.device.type != "cpu" or self._model.dtype == torch.float32:
            return self._model
        with self._lock:
            if self._writer is None:
                self._writer = copy.deepcopy(self._model).float()
        return self._writer

    def _forward(
        self, model: Any, tokens: list[int], num_logits: int, cache: bool | None, past: Any = None
    ) -> Any:
        """One pass that computes the last `num_logits` rows of logits alone."""
        with torch.inference_mode():
            ids = torch.tensor([tokens], device=model.device)
            return model(
                input_ids=ids, logits_to_keep=num_logits, use_cache=bool(cache), past_key_values=past
            )

    def _tokenise(self, prompt: Prompt, target: str) -> PromptTokens:
        layout = self._layout
        return PromptTokens(
            self._bos + self._encode(layout.head, special=True),
            tuple(self._encode(text) for text in prompt.units),
            self._encode(layout.question(prompt.query)),
            self._encode(layout.tail, special=True),
            self._encode(layout.target(target)) if target else (),
        )

    def _encode(self, text: str, special: bool = False) -> tuple[int, ...]:
        with self._lock:  # a fast tokenizer keeps these choices as state
            encoded = self._tokenizer(
                text, add_special_tokens=False, split_special_tokens=not special, verbose=False
            )
        return tuple(encoded["input_ids"])

    def _check_window(self, num_tokens: int) -> None:
        if num_tokens > self._window_tokens:
            raise InvalidRequest(
                f"prompt and target have {num_tokens} tokens; the window of {self._name} holds "
                f"{self._window_tokens}: use a smaller budget or a reader with a larger window"
            )
