"""Convert a GGUF file to safetensors with transformers.

The conversion is the preparation step of the asset SmolLM2-135M-Instruct.
"""

import contextlib
import importlib.util
import io
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from contextsvc.errors import CorruptAsset, MissingExtra

_PROBE = "The capital of France is Paris."
_PROBE_TOKENS = 7


def convert(folder: Path, into: Path) -> None:
    """Write a Hugging Face folder (float16 safetensors, tokenizer, chat template) from a GGUF file.

    Rejected: bfloat16. A dequantised Q4_1 weight is a half-precision scale times a small integer plus an
    offset. float16 stores this number eight times more precisely than bfloat16, in the same space. The number
    type used for computing is chosen later, when the model is loaded.

    Args:
        folder: Folder that holds exactly one `.gguf` file. The file is not copied.
        into: Folder to write into; it exists and is empty.

    Raises:
        MissingExtra: the packages that read GGUF are not installed.
        CorruptAsset: the folder does not hold exactly one `.gguf` file, the converted tokenizer splits a test
            sentence wrongly (a fault of some versions of transformers), or the converted tokenizer has no
            chat template.
    """
    if any(importlib.util.find_spec(package) is None for package in ("gguf", "accelerate")):
        raise MissingExtra("converting a GGUF file", "gguf")
    files = [path.name for path in folder.glob("*.gguf")]
    if len(files) != 1:
        raise CorruptAsset(f"{folder} holds {len(files)} .gguf files; expected exactly one")
    # The conversion prints progress bars that cannot be switched off.
    with contextlib.redirect_stderr(io.StringIO()):
        packed = AutoModelForCausalLM.from_pretrained(folder, gguf_file=files[0], dtype=torch.float32)
        _plain(packed).save_pretrained(into)
        AutoTokenizer.from_pretrained(folder, gguf_file=files[0]).save_pretrained(into)
    _check(AutoTokenizer.from_pretrained(into))


def _plain(packed: Any) -> Any:
    """Return a model with the same weights but without quantisation.

    transformers refuses to save the model that it read from a GGUF file.
    """
    config = packed.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    with torch.device("meta"):  # allocates no random weights, because they would be overwritten
        model = AutoModelForCausalLM.from_config(config)
    model.load_state_dict(packed.state_dict(), assign=True)
    model.tie_weights()
    model.to(torch.float16)
    model.generation_config = packed.generation_config
    return model


def _check(tokenizer: Any) -> None:
    tokens = tokenizer(_PROBE, add_special_tokens=False).input_ids
    text = tokenizer.decode(tokens)
    if len(tokens) != _PROBE_TOKENS or text != _PROBE:
        raise CorruptAsset(
            f"the converted tokenizer splits {_PROBE!r} into {len(tokens)} tokens that decode to {text!r}; "
            f"expected {_PROBE_TOKENS} tokens and the same text; install another version of transformers"
        )
    if not tokenizer.chat_template:
        raise CorruptAsset("the converted tokenizer has no chat template; expected the one in the GGUF file")
