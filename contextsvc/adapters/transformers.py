"""Reader: any causal language model of transformers, exact: one forward pass a mask."""

import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from contextsvc.adapters.prompt_layout import (
    LAYOUT_VERSION,
    PromptLayout,
    PromptTokens,
    chat_layout,
    check_masks,
    completion_layout,
)
from contextsvc.adapters.torch_runtime import (
    PRECISIONS,
    model_folder,
    model_name,
    quiet_loading,
    resolve_precision,
    set_num_threads,
    short_digest,
    weights_hash,
)
from contextsvc.errors import InvalidRequest, ReaderFault, SettingError
from contextsvc.ports import Answer, Prompt, Scores
from contextsvc.records import BoolArray, Cost

REFUSAL = "I do not know."
"""The answer of a model that writes nothing."""


class TransformersReader:
    """Scores and answers with one model in one precision.

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
        device: str = "cpu",
    ) -> None:
        """Load from a folder (without any network) or by hub name.

        Raises:
            SettingError: no such model, it cannot be loaded, or an unknown precision.
        """
        precision = resolve_precision(precision)
        set_num_threads(num_threads)
        folder = model_folder(model)
        self._tokenizer, self._model = _load(folder, precision, device)
        self._lock = threading.Lock()
        self._layout = _layout(self._tokenizer)
        self._bos = _bos(self._tokenizer)
        self._stops = _stops(self._tokenizer, self._model)
        self._window_tokens = _window_tokens(self._model)
        self._answer_max_tokens = answer_max_tokens
        self._name = model_name(model)
        layout = short_digest([LAYOUT_VERSION, repr(self._layout), list(self._bos)], 8)
        self._fingerprint = f"{self._name}:{weights_hash(folder)}:{precision}:{layout}:{answer_max_tokens}"

    @property
    def fingerprint(self) -> str:
        """`name:weights:precision:layout:answer tokens`."""
        return self._fingerprint

    @property
    def name(self) -> str:
        """The folder's own name, or the hub name without its owner."""
        return self._name

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

    def score(self, prompt: Prompt, masks: BoolArray, target: str) -> Scores:
        """Each mask in a pass of its own, so that its number does not depend on its neighbours.

        Identical masks are read once and cost once.

        Raises:
            ShapeError: the masks are not (num_masks, num_units).
            InvalidRequest: the target is empty, or prompt and target do not fit the model's window.
        """
        started = time.perf_counter()
        check_masks(masks, len(prompt.units))
        tokens = self._tokenise(prompt, target)
        if not target.strip() or not tokens.target:
            raise InvalidRequest("the target is empty; expected the text whose likelihood is measured")
        found = {mask: tokens.kept(mask) for mask in map(tuple, masks.tolist())}
        lengths = [len(kept) + len(tokens.target) for kept in found.values()]
        self._check_window(max(lengths, default=0))
        score_of = {mask: self._mean_log_probability(kept, tokens.target) for mask, kept in found.items()}
        values = np.array([score_of[tuple(mask)] for mask in masks.tolist()], dtype=np.float64)
        return Scores(values, Cost(len(found), sum(lengths), time.perf_counter() - started))

    def _mean_log_probability(self, read: list[int], target: tuple[int, ...]) -> float:
        # The last target token predicts nothing that is asked for, so it is not read.
        logits = self._forward([*read, *target[:-1]], len(target), None).logits[0]
        chances = torch.log_softmax(logits.float(), dim=-1)
        picked = chances.gather(1, torch.tensor(target, device=chances.device)[:, None])
        mean = float(picked.double().mean())
        if not np.isfinite(mean):
            raise ReaderFault(f"{self._name} gave a score of {mean}; try CONTEXTSVC_PRECISION=float32")
        return mean

    def _decode(self, read: list[int], room: int) -> tuple[list[int], int]:
        """Tokens written before an end token, and forward passes taken."""
        written: list[int] = []
        step = self._forward(read, 1, True)
        for num_passes in range(1, room + 1):
            token = int(step.logits[0, -1].argmax())
            if token in self._stops:
                return written, num_passes
            written.append(token)
            if num_passes < room:
                step = self._forward([token], 1, True, step.past_key_values)
        return written, room

    def _forward(self, tokens: list[int], num_logits: int, cache: bool | None, past: Any = None) -> Any:
        """One pass that computes the last `num_logits` rows of logits alone."""
        with torch.inference_mode():
            ids = torch.tensor([tokens], device=self._model.device)
            return self._model(
                input_ids=ids, logits_to_keep=num_logits, use_cache=bool(cache), past_key_values=past
            )

    def _tokenise(self, prompt: Prompt, target: str) -> PromptTokens:
        layout = self._layout
        return PromptTokens(
            self._bos + self._encode(layout.head, special=True),
            tuple(self._encode(layout.unit(text)) for text in prompt.units),
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


def _load(folder: Path, precision: str, device: str) -> tuple[Any, Any]:
    try:
        with quiet_loading():
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            model = AutoModelForCausalLM.from_pretrained(
                folder, dtype=PRECISIONS[precision], local_files_only=True, use_safetensors=True
            )
    except (OSError, ValueError, KeyError, ImportError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SettingError(f"{folder} is no causal language model that can be loaded: {reason}") from error
    model.eval()
    return tokenizer, model.to(device)


def _layout(tokenizer: Any) -> PromptLayout:
    if not tokenizer.chat_template:
        return completion_layout()

    def render(message: str) -> str:
        turns = [{"role": "user", "content": message}]
        return str(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))

    return chat_layout(render)


def _bos(tokenizer: Any) -> tuple[int, ...]:
    """The token that starts every text, where the tokenizer adds one; a chat template writes its own."""
    if tokenizer.chat_template:
        return ()
    added = tokenizer("")["input_ids"]
    return tuple(added[:1]) if added and added[0] == tokenizer.bos_token_id else ()


def _stops(tokenizer: Any, model: Any) -> frozenset[int]:
    ends = model.generation_config.eos_token_id
    ends = ends if isinstance(ends, list) else [ends]
    return frozenset(end for end in (*ends, tokenizer.eos_token_id) if end is not None)


def _window_tokens(model: Any) -> int:
    window = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    return int(window) if window else sys.maxsize
