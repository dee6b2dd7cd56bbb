"""Causal language models of transformers: loading one, and what its tokenizer and configuration say."""

import sys
from pathlib import Path
from typing import Any

from transformers import AutoModelForCausalLM, AutoTokenizer

from contextsvc.adapters.models.torch_runtime import PRECISIONS, quiet_loading
from contextsvc.adapters.readers.prompt_layout import PromptLayout, chat_layout, completion_layout
from contextsvc.errors import SettingError


def load(folder: Path, precision: str, device: str) -> tuple[Any, Any]:
    """Tokenizer and model from a folder, without any network.

    Raises:
        SettingError: it holds no such model, or weights of another kind of model.
    """
    try:
        with quiet_loading():
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            model, found = AutoModelForCausalLM.from_pretrained(
                folder, dtype=PRECISIONS[precision], local_files_only=True, use_safetensors=True,
                output_loading_info=True,
            )  # fmt: skip
    except (OSError, ValueError, KeyError, ImportError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SettingError(f"{folder} is no causal language model that can be loaded: {reason}") from error
    # An encoder loads as a language model, too, with a new output layer of random weights.
    if found["missing_keys"]:
        missing = ", ".join(sorted(found["missing_keys"])[:3])
        raise SettingError(f"{folder} is no causal language model that can be loaded: it has no {missing}")
    model.eval()
    return tokenizer, model.to(device)


def layout_of(tokenizer: Any) -> PromptLayout:
    """Around the chat template, or text to be continued where there is none."""
    if not tokenizer.chat_template:
        return completion_layout()

    def render(message: str) -> str:
        turns = [{"role": "user", "content": message}]
        return str(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))

    return chat_layout(render)


def first_tokens(tokenizer: Any) -> tuple[int, ...]:
    """The token that starts every text, where the tokenizer adds one; a chat template writes its own."""
    if tokenizer.chat_template:
        return ()
    added = tokenizer("")["input_ids"]
    return tuple(added[:1]) if added and added[0] == tokenizer.bos_token_id else ()


def end_tokens(tokenizer: Any, model: Any) -> frozenset[int]:
    """Tokens that end an answer."""
    ends = model.generation_config.eos_token_id
    ends = ends if isinstance(ends, list) else [ends]
    return frozenset(end for end in (*ends, tokenizer.eos_token_id) if end is not None)


def window_tokens(model: Any) -> int:
    """Tokens that the model can read at once; as good as endless where it names no limit."""
    window = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    return int(window) if window else sys.maxsize


def forgets(model: Any) -> bool:
    """Some layer reads a sliding window shorter than the model's own: states cannot be taken apart."""
    config = model.config.get_text_config()
    window = getattr(config, "sliding_window", None)
    kinds = getattr(config, "layer_types", None)
    slides = any("sliding" in kind for kind in kinds) if kinds else window is not None
    return bool(slides and window and window < window_tokens(model))
