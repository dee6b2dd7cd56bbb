"""The conversion on a tiny GGUF file made here, and what it made of the real one."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from transformers import AutoModelForCausalLM, AutoTokenizer

from contextsvc.adapters.assets.gguf import convert
from contextsvc.assets import locate
from contextsvc.errors import CorruptAsset
from contextsvc.settings import Settings

WIDTH = 32


def write_tiny_gguf(path: Path) -> None:
    """A llama of one layer whose tokenizer knows single characters and one pair."""
    gguf = pytest.importorskip("gguf")
    tokens = ["<|endoftext|>", *(chr(code) for code in range(33, 127)), "Ġ", "Th"]
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(64)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(1)
    writer.add_feed_forward_length(WIDTH)
    writer.add_head_count(2)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tokens)
    writer.add_token_types([3] + [1] * (len(tokens) - 1))
    writer.add_token_merges(["T h"])
    for kind in ("bos", "eos", "unk", "pad"):
        getattr(writer, f"add_{kind}_token_id")(0)
    square = np.zeros((WIDTH, WIDTH), dtype=np.float32)
    for part in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"):
        writer.add_tensor(f"blk.0.{part}.weight", square)
    for name in ("blk.0.attn_norm", "blk.0.ffn_norm", "output_norm"):
        writer.add_tensor(f"{name}.weight", np.ones(WIDTH, dtype=np.float32))
    writer.add_tensor("token_embd.weight", np.ones((len(tokens), WIDTH), dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def test_a_tokenizer_that_splits_wrongly_is_refused(tmp_path: Path) -> None:
    source, into = tmp_path / "source", tmp_path / "into"
    source.mkdir()
    into.mkdir()
    write_tiny_gguf(source / "tiny.gguf")
    with pytest.raises(CorruptAsset, match=r"into 30 tokens .*; expected 7 tokens"):
        convert(source, into)
    with safe_open(into / "model.safetensors", "np") as weights:  # the weights were fine
        assert weights.get_tensor("model.embed_tokens.weight").dtype == np.float16


def test_a_folder_without_a_gguf_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorruptAsset, match=r"holds 0 \.gguf files; expected exactly one"):
        convert(tmp_path, tmp_path)


@pytest.fixture(scope="module")
def converted() -> Path:
    return locate(Settings.from_env().home, "SmolLM2-135M-Instruct")


def test_the_pulled_tokenizer_is_right(converted: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(converted)
    tokens = tokenizer("The capital of France is Paris.", add_special_tokens=False).input_ids
    assert [tokenizer.decode([token]) for token in tokens] == [
        "The", " capital", " of", " France", " is", " Paris", ".",
    ]  # fmt: skip
    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": "Hi"}], tokenize=False, add_generation_prompt=True
    )
    assert prompt.endswith("<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n")
    assert "quantization_config" not in json.loads((converted / "config.json").read_text())


@pytest.mark.model
def test_the_pulled_model_knows_the_capital_of_france(converted: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(converted)
    model = AutoModelForCausalLM.from_pretrained(converted, dtype=torch.float32)
    tokens = tokenizer("The capital of France is", return_tensors="pt").input_ids
    with torch.no_grad():
        best = int(model(tokens).logits[0, -1].argmax())
    assert tokenizer.decode([best]) == " Paris"
