"""Load a causal language model with transformers, and read its tokenizer and configuration."""

import sys
from pathlib import Path
from typing import Any

from transformers import AutoModelForCausalLM, AutoTokenizer

from contextsvc.adapters.language_models.prompt_layout import PromptLayout, chat_layout, completion_layout
from contextsvc.adapters.models.torch_runtime import PRECISIONS, quiet_loading
from contextsvc.errors import SettingError


def load(folder: Path, precision: str, device: str) -> tuple[Any, Any]:
    """Load tokenizer and model from a folder, without network access.

    Returns:
        (tokenizer, model). The model is in evaluation mode on `device`.

    Raises:
        SettingError: the folder holds no causal language model, or it holds weights of another kind of model.
    """
    try:
        with quiet_loading():
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            model, found = AutoModelForCausalLM.from_pretrained(
                folder,
                dtype=PRECISIONS[precision],
                local_files_only=True,
                use_safetensors=True,
                output_loading_info=True,
            )
    except (OSError, ValueError, KeyError, ImportError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SettingError(
            f"{folder} cannot be loaded; expected a causal language model: {reason}"
        ) from error
    # transformers would load even an encoder as a language model, with an output layer of random weights.
    if found["missing_keys"]:
        missing = ", ".join(sorted(found["missing_keys"])[:3])
        raise SettingError(
            f"{folder} cannot be loaded; expected a causal language model: its weights lack {missing}"
        )
    model.eval()
    return tokenizer, model.to(device)


def layout_of(tokenizer: Any) -> PromptLayout:
    """Return the prompt layout made from the tokenizer's chat template.

    If the tokenizer has no chat template, a layout for plain completion is returned.
    """
    if not tokenizer.chat_template:
        return completion_layout()

    def render(message: str) -> str:
        turns = [{"role": "user", "content": message}]
        return str(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))

    return chat_layout(render)


def first_tokens(tokenizer: Any) -> tuple[int, ...]:
    """Return the start token that the tokenizer adds to a text.

    The tuple is empty if the tokenizer adds no start token or has a chat template.
    """
    if tokenizer.chat_template:
        return ()
    added = tokenizer("")["input_ids"]
    return tuple(added[:1]) if added and added[0] == tokenizer.bos_token_id else ()


def end_tokens(tokenizer: Any, model: Any) -> frozenset[int]:
    """Return the tokens that end an answer."""
    ends = model.generation_config.eos_token_id
    ends = ends if isinstance(ends, list) else [ends]
    return frozenset(end for end in (*ends, tokenizer.eos_token_id) if end is not None)


def window_tokens(model: Any) -> int:
    """Return the context window of the model in tokens.

    The value is `sys.maxsize` if the model's configuration names no limit.
    """
    window = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    return int(window) if window else sys.maxsize


def has_sliding_window(model: Any) -> bool:
    """Return whether a layer attends to a sliding window that is shorter than the context window.

    The key-value states of such a model cannot be split by unit (a chunk or a sentence that can be removed).
    """
    config = model.config.get_text_config()
    window = getattr(config, "sliding_window", None)
    kinds = getattr(config, "layer_types", None)
    slides = any("sliding" in kind for kind in kinds) if kinds else window is not None
    return bool(slides and window and window < window_tokens(model))
