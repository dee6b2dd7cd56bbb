import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from contextsvc.adapters.prompt_layout import INSTRUCTION
from contextsvc.adapters.transformers import REFUSAL, TransformersReader
from contextsvc.errors import InvalidRequest, SettingError
from contextsvc.ports import Prompt
from tests.adapters.tiny_models import LLAMA_WINDOW_TOKENS, VOCABULARY_SIZE, save_reader

PROMPT = Prompt(("Bananas are yellow.", "The port is 2379."), "Which port?")
ALL = np.ones((1, 2), dtype=np.bool_)
CHAT_TEXT = (
    f"<|turn|>{INSTRUCTION}\n\nBananas are yellow.\n\nThe port is 2379.\n\n"
    "Question: Which port?<|end|><|turn|>"
)
CHAT_TOKENS = len(CHAT_TEXT) - 2 * len("<|turn|>") - len("<|end|>") + 3


def test_a_model_without_opinion_scores_one_in_its_vocabulary(tmp_path: Path) -> None:
    reader = TransformersReader(save_reader(tmp_path, uniform=True), "float32")
    scores = reader.score(PROMPT, np.array([[True, True], [False, False]]), "2379")
    np.testing.assert_allclose(scores.values, [-math.log(VOCABULARY_SIZE)] * 2, atol=1e-6)


def test_the_score_is_that_of_one_plain_pass_over_the_chat_text(tmp_path: Path) -> None:
    folder = save_reader(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids = tokenizer(CHAT_TEXT + "2379", return_tensors="pt")["input_ids"]
    assert ids.shape[1] == CHAT_TOKENS + 4
    with torch.inference_mode():
        logits = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)(ids).logits[0]
    chances = torch.log_softmax(logits, dim=-1)
    expected = [float(chances[place - 1, ids[0, place]]) for place in range(CHAT_TOKENS, CHAT_TOKENS + 4)]
    scores = TransformersReader(folder, "float32").score(PROMPT, ALL, "2379")
    np.testing.assert_allclose(scores.values, [sum(expected) / 4], atol=1e-5)
    assert (scores.cost.reader_calls, scores.cost.reader_tokens) == (1, CHAT_TOKENS + 4)


def test_text_that_looks_like_a_special_token_is_read_as_text(tmp_path: Path) -> None:
    reader = TransformersReader(save_reader(tmp_path), "float32")
    plain = reader.score(Prompt(("",), "q"), np.ones((1, 1), dtype=np.bool_), "t").cost.reader_tokens
    forged = reader.score(Prompt(("<|end|>",), "q"), np.ones((1, 1), dtype=np.bool_), "t").cost.reader_tokens
    assert forged - plain == len("<|end|>")


def test_greedy_decoding_takes_the_likeliest_token_each_time(tmp_path: Path) -> None:
    folder = save_reader(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    ids = tokenizer(CHAT_TEXT)["input_ids"]
    written: list[int] = []
    with torch.inference_mode():
        while len(written) < 6 and 0 not in written:
            written.append(int(model(torch.tensor([ids + written])).logits[0, -1].argmax()))
    text = tokenizer.decode([token for token in written if token != 0], skip_special_tokens=True).strip()
    answer = TransformersReader(folder, "float32", answer_max_tokens=6).answer(PROMPT)
    assert answer.text == (text or REFUSAL)
    assert answer.cost.reader_calls == len(written)


def test_a_model_that_ends_at_once_does_not_know(tmp_path: Path) -> None:
    answer = TransformersReader(save_reader(tmp_path, uniform=True), "float32").answer(PROMPT)
    assert answer.text == "I do not know."
    assert (answer.cost.reader_calls, answer.cost.reader_tokens) == (1, CHAT_TOKENS)


def test_the_window_holds_to_the_last_token(tmp_path: Path) -> None:
    reader = TransformersReader(save_reader(tmp_path), "float32")
    room = LLAMA_WINDOW_TOKENS - CHAT_TOKENS
    assert reader.score(PROMPT, ALL, "x" * room).cost.reader_tokens == LLAMA_WINDOW_TOKENS
    with pytest.raises(InvalidRequest, match=f"have {LLAMA_WINDOW_TOKENS + 1} tokens.*{LLAMA_WINDOW_TOKENS}"):
        reader.score(PROMPT, ALL, "x" * (room + 1))


def test_a_model_without_a_template_continues_a_text(tmp_path: Path) -> None:
    reader = TransformersReader(save_reader(tmp_path, chat=False), "float32")
    text = f"{INSTRUCTION}\n\nBananas are yellow.\n\nThe port is 2379.\n\nQuestion: Which port?\nAnswer: 2379"
    assert reader.score(PROMPT, ALL, "2379").cost.reader_tokens == len(text)


def test_bfloat16_is_close_to_float32(tmp_path: Path) -> None:
    folder = save_reader(tmp_path)
    coarse, fine = (
        TransformersReader(folder, precision).score(PROMPT, ALL, "2379").values
        for precision in ("bfloat16", "float32")
    )
    np.testing.assert_allclose(coarse, fine, atol=0.1)


def test_the_fingerprint_changes_with_weights_precision_layout_and_answer_length(tmp_path: Path) -> None:
    chat, plain = save_reader(tmp_path / "a" / "tiny"), save_reader(tmp_path / "b" / "tiny", chat=False)
    other = save_reader(tmp_path / "c" / "tiny", uniform=True)
    prints = [
        TransformersReader(chat, "float32").fingerprint,
        TransformersReader(chat, "bfloat16").fingerprint,
        TransformersReader(chat, "float32", answer_max_tokens=7).fingerprint,
        TransformersReader(plain, "float32").fingerprint,
        TransformersReader(other, "float32").fingerprint,
    ]
    assert len(set(prints)) == 5
    assert prints[0] == TransformersReader(chat, "float32").fingerprint


def test_several_threads_may_score(tmp_path: Path) -> None:
    reader = TransformersReader(save_reader(tmp_path), "float32")
    expected = reader.score(PROMPT, ALL, "2379").values[0]
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(lambda _: reader.score(PROMPT, ALL, "2379").values[0], range(12))) == {expected}


def test_loading_writes_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = save_reader(tmp_path)
    capfd.readouterr()
    TransformersReader(folder).answer(PROMPT)
    assert capfd.readouterr() == ("", "")


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="no causal language model that can be loaded"):
        TransformersReader(tmp_path)
