"""What tokenizers and configurations say, from real ones saved to a folder."""

import sys
from pathlib import Path

import pytest
import torch
from transformers import BloomConfig, BloomForCausalLM, GPT2Config, GPT2LMHeadModel

from contextsvc.adapters.language_models.causal_models import (
    end_tokens,
    first_tokens,
    layout_of,
    load,
    window_tokens,
)
from contextsvc.adapters.language_models.prompt_layout import INSTRUCTION
from contextsvc.adapters.models.torch_runtime import quiet_loading
from contextsvc.errors import SettingError
from tests.adapters.tiny_models import LLAMA_WINDOW_TOKENS, save_cross_encoder, save_reader


@pytest.mark.parametrize(("precision", "dtype"), [("float32", torch.float32), ("bfloat16", torch.bfloat16)])
def test_a_model_is_loaded_to_be_read_in_its_precision(
    tmp_path: Path, precision: str, dtype: torch.dtype
) -> None:
    tokenizer, model = load(save_reader(tmp_path), precision, "cpu")
    assert tokenizer("ab")["input_ids"] == tokenizer("a")["input_ids"] + tokenizer("b")["input_ids"]
    assert model.dtype == dtype
    assert not model.training


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="cannot be loaded; expected a causal language model"):
        load(tmp_path, "float32", "cpu")


def test_a_damaged_configuration_is_refused(tmp_path: Path) -> None:
    folder = save_reader(tmp_path)
    (folder / "config.json").write_text("{")
    with pytest.raises(SettingError, match="cannot be loaded; expected a causal language model"):
        load(folder, "float32", "cpu")


def test_weights_in_a_pickle_are_refused(tmp_path: Path) -> None:
    folder = save_reader(tmp_path)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(SettingError, match="cannot be loaded; expected a causal language model"):
        load(folder, "float32", "cpu")


def test_a_chat_template_gives_the_layout(tmp_path: Path) -> None:
    tokenizer, _ = load(save_reader(tmp_path), "float32", "cpu")
    layout = layout_of(tokenizer)
    assert layout.head == f"<|turn|>{INSTRUCTION}\n\n"
    assert layout.tail == "<|end|><|turn|>"


def test_without_a_template_a_text_is_continued(tmp_path: Path) -> None:
    tokenizer, _ = load(save_reader(tmp_path, chat=False), "float32", "cpu")
    layout = layout_of(tokenizer)
    assert (layout.head, layout.tail) == (f"{INSTRUCTION}\n\n", "\nAnswer:")


def test_a_text_starts_as_the_tokenizer_starts_it(tmp_path: Path) -> None:
    tokenizer, _ = load(save_reader(tmp_path, chat=False), "float32", "cpu")
    assert first_tokens(tokenizer) == ()
    tokenizer.bos_token = "<|turn|>"
    tokenizer.add_bos_token = True
    assert tokenizer("a")["input_ids"][0] == 1
    assert first_tokens(tokenizer) == (1,)


def test_a_chat_template_starts_its_own_text(tmp_path: Path) -> None:
    tokenizer, _ = load(save_reader(tmp_path), "float32", "cpu")
    tokenizer.bos_token = "<|turn|>"
    tokenizer.add_bos_token = True
    assert first_tokens(tokenizer) == ()


def test_an_answer_ends_at_any_end_token_of_model_and_tokenizer(tmp_path: Path) -> None:
    tokenizer, model = load(save_reader(tmp_path), "float32", "cpu")
    assert end_tokens(tokenizer, model) == {0}
    model.generation_config.eos_token_id = [5, 7]
    assert end_tokens(tokenizer, model) == {0, 5, 7}
    model.generation_config.eos_token_id = None
    assert end_tokens(tokenizer, model) == {0}
    tokenizer.eos_token = None
    assert end_tokens(tokenizer, model) == set()


def test_the_window_under_each_of_its_names(tmp_path: Path) -> None:
    _, llama = load(save_reader(tmp_path), "float32", "cpu")
    assert window_tokens(llama) == LLAMA_WINDOW_TOKENS
    small = {"vocab_size": 9, "n_layer": 1, "n_head": 1, "bos_token_id": 0, "eos_token_id": 0}
    with quiet_loading():
        assert window_tokens(GPT2LMHeadModel(GPT2Config(n_embd=4, n_positions=33, **small))) == 33
        assert window_tokens(BloomForCausalLM(BloomConfig(hidden_size=4, **small))) == sys.maxsize


def test_a_model_of_another_kind_is_no_reader(tmp_path: Path) -> None:
    # An encoder would be loaded with an output layer of random weights, others each time.
    with pytest.raises(
        SettingError, match=r"cannot be loaded; expected a causal language model: its weights lack cls\."
    ):
        load(save_cross_encoder(tmp_path), "float32", "cpu")
