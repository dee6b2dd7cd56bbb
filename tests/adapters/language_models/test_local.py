"""The embedded reader: passes, costs, limits and refusals with a tiny model; masks have their own file."""

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from contextsvc.adapters.language_models.local import MODES, TransformersReader
from contextsvc.adapters.language_models.masked_scoring import COPY_TOKENS
from contextsvc.adapters.language_models.prompt_layout import INSTRUCTION, REFUSAL
from contextsvc.errors import InvalidRequest, ReaderFault, SettingError
from contextsvc.ports import Limits, Prompt
from tests.adapters.tiny_models import LLAMA_WINDOW_TOKENS, VOCABULARY_SIZE, save_reader

PROMPT = Prompt(("Bananas are yellow.\n\n", "The port is 2379.\n\n"), "Which port?")
ALL = np.ones((1, 2), dtype=np.bool_)
CHAT_TEXT = (
    f"<|turn|>{INSTRUCTION}\n\nBananas are yellow.\n\nThe port is 2379.\n\n"
    "Question: Which port?<|end|><|turn|>"
)
CHAT_TOKENS = len(CHAT_TEXT) - 2 * len("<|turn|>") - len("<|end|>") + 3
OWN_TOKENS = len("Question: Which port?") + 2 + len("2379") - 1
"""Question, tail and target without its last: what a copy reads."""

HEAD_AND_UNITS = CHAT_TOKENS - len("Question: Which port?") - 2
SHORT, LONG = len(PROMPT.units[1]), len(PROMPT.units[0])


def tiny(folder: Path, mode: str = "exact", state_bytes: int = 10**9) -> TransformersReader:
    return TransformersReader(folder, "float32", mode=mode, state_bytes=state_bytes)


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
    log_probs = torch.log_softmax(logits, dim=-1)
    expected = [float(log_probs[place - 1, ids[0, place]]) for place in range(CHAT_TOKENS, CHAT_TOKENS + 4)]
    for mode in ("exact", "masked"):
        scores = tiny(folder, mode).score(PROMPT, ALL, "2379")
        np.testing.assert_allclose(scores.values, [sum(expected) / 4], atol=1e-5)


@pytest.mark.parametrize(
    ("mode", "calls", "tokens"),
    [
        ("exact", 3, 3 * (CHAT_TOKENS + 4) - 2 * LONG - SHORT),
        ("masked", 2, HEAD_AND_UNITS + 3 * OWN_TOKENS),
        ("blocks", 4, HEAD_AND_UNITS + 3 * OWN_TOKENS),
    ],
)
def test_a_cost_is_what_was_read(tmp_path: Path, mode: str, calls: int, tokens: int) -> None:
    masks = np.array([[True, True], [False, True], [False, False], [True, True]])
    cost = tiny(save_reader(tmp_path), mode).score(PROMPT, masks, "2379").cost
    assert (cost.reader_calls, cost.reader_tokens) == (calls, tokens)


def test_blocks_that_were_read_before_cost_nothing(tmp_path: Path) -> None:
    reader = tiny(save_reader(tmp_path), "blocks")
    reader.score(PROMPT, ALL, "2379")
    again = reader.score(Prompt(PROMPT.units[::-1], "Which one?"), ALL, "2379").cost
    assert (again.reader_calls, again.reader_tokens) == (1, OWN_TOKENS - 1)
    other = reader.score(Prompt((PROMPT.units[0], "New."), "Which one?"), ALL, "2379").cost
    assert (other.reader_calls, other.reader_tokens) == (2, len("New.") + OWN_TOKENS - 1)


def test_states_are_kept_in_bounded_memory(tmp_path: Path) -> None:
    reader = tiny(save_reader(tmp_path), "blocks", state_bytes=0)
    first, again = (reader.score(PROMPT, ALL, "2379") for _ in range(2))
    assert again.cost.reader_calls == first.cost.reader_calls == 4
    assert again.values.tolist() == first.values.tolist()


def test_pieces_of_a_chunk_are_read_together(tmp_path: Path) -> None:
    reader = tiny(save_reader(tmp_path), "blocks")
    pieces = Prompt(("Bananas ", "are yellow.\n\n", PROMPT.units[1]), PROMPT.query, blocks=(0, 0, 1))
    whole = reader.score(PROMPT, ALL, "2379")
    found = reader.score(pieces, np.ones((1, 3), dtype=np.bool_), "2379")
    assert found.values.tolist() == whole.values.tolist()
    assert found.cost.reader_calls == 1  # one token a byte: both blocks are known


def test_masked_scores_are_exact_where_nothing_is_removed(tmp_path: Path) -> None:
    folder = save_reader(tmp_path)
    exact, masked = (tiny(folder, mode).score(PROMPT, ALL, "2379").values for mode in ("exact", "masked"))
    np.testing.assert_allclose(masked, exact, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("calls", "num_scored"), [(1, 0), (2, 14), (3, 28), (4, 32)])
def test_a_limit_of_calls_counts_the_reading_of_units(tmp_path: Path, calls: int, num_scored: int) -> None:
    prompt = Prompt(tuple("abcde"), PROMPT.query)
    masks = np.array([[number >> unit & 1 for unit in range(5)] for number in range(32)], dtype=np.bool_)
    scores = tiny(save_reader(tmp_path), "masked").score(prompt, masks, "2379", Limits(calls=calls))
    assert COPY_TOKENS // OWN_TOKENS == 14
    assert scores.cost.reader_calls == calls
    assert np.isfinite(scores.values).tolist() == [True] * num_scored + [False] * (32 - num_scored)


def test_text_that_looks_like_a_special_token_is_read_as_text(tmp_path: Path) -> None:
    reader = tiny(save_reader(tmp_path))
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


@pytest.mark.parametrize("mode", MODES)
def test_the_window_holds_to_the_last_token(tmp_path: Path, mode: str) -> None:
    reader = tiny(save_reader(tmp_path), mode)
    room = LLAMA_WINDOW_TOKENS - CHAT_TOKENS
    if mode == "blocks":  # chunks lie beside each other: the shorter takes no room
        room += min(map(len, PROMPT.units))
    assert np.isfinite(reader.score(PROMPT, ALL, "x" * room).values).all()
    with pytest.raises(InvalidRequest, match=f"have {LLAMA_WINDOW_TOKENS + 1} tokens.*{LLAMA_WINDOW_TOKENS}"):
        reader.score(PROMPT, ALL, "x" * (room + 1))


def test_placebos_beside_a_text_take_no_room_in_the_window(tmp_path: Path) -> None:
    reader = tiny(save_reader(tmp_path), "masked")
    beside = ("A placebo.\n\n",) * LLAMA_WINDOW_TOKENS  # a token a character: far more than the window
    asides = (False,) * len(PROMPT.units) + (True,) * len(beside)
    prompt = replace(PROMPT, units=(*PROMPT.units, *beside), isolated=asides)
    pack = np.array([[not aside for aside in asides]])
    room = LLAMA_WINDOW_TOKENS - CHAT_TOKENS
    assert np.isfinite(reader.score(prompt, pack, "x" * room).values).all()
    with pytest.raises(InvalidRequest, match=f"have {LLAMA_WINDOW_TOKENS + 1} tokens"):
        reader.score(prompt, pack, "x" * (room + 1))


def test_a_model_without_a_template_continues_a_text(tmp_path: Path) -> None:
    reader = tiny(save_reader(tmp_path, chat=False))
    text = f"{INSTRUCTION}\n\nBananas are yellow.\n\nThe port is 2379.\n\nQuestion: Which port?\nAnswer: 2379"
    assert reader.score(PROMPT, ALL, "2379").cost.reader_tokens == len(text)


def test_bfloat16_is_close_to_float32(tmp_path: Path) -> None:
    folder = save_reader(tmp_path)
    for mode in MODES:
        coarse, fine = (
            TransformersReader(folder, precision, mode=mode).score(PROMPT, ALL, "2379").values
            for precision in ("bfloat16", "float32")
        )
        np.testing.assert_allclose(coarse, fine, atol=0.1)


def test_the_fingerprint_changes_with_weights_precision_mode_layout_and_answer_length(tmp_path: Path) -> None:
    chat, plain = save_reader(tmp_path / "a" / "tiny"), save_reader(tmp_path / "b" / "tiny", chat=False)
    other = save_reader(tmp_path / "c" / "tiny", uniform=True)
    prints = [
        TransformersReader(chat, "float32").fingerprint,
        TransformersReader(chat, "bfloat16").fingerprint,
        TransformersReader(chat, "float32", answer_max_tokens=7).fingerprint,
        *(TransformersReader(chat, "float32", mode=mode).fingerprint for mode in ("exact", "masked")),
        TransformersReader(plain, "float32").fingerprint,
        TransformersReader(other, "float32").fingerprint,
    ]
    assert len(set(prints)) == 7
    assert prints[0] == TransformersReader(chat, "float32", mode="blocks").fingerprint


@pytest.mark.parametrize("mode", MODES)
def test_several_threads_may_score(tmp_path: Path, mode: str) -> None:
    folder = save_reader(tmp_path)
    prompts = [Prompt(units, PROMPT.query) for units in (PROMPT.units, PROMPT.units[::-1], ("a", "b"))] * 4
    expected = [tiny(folder, mode).score(prompt, ALL, "2379").values[0] for prompt in prompts]
    # Room for one block: threads evict each other's states.
    reader = tiny(folder, mode, state_bytes=12_000)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda prompt: reader.score(prompt, ALL, "2379").values[0], prompts))
    assert found == expected


def test_a_model_gone_wrong_is_a_fault_of_the_reader(tmp_path: Path) -> None:
    folder = save_reader(tmp_path)
    weights = load_file(folder / "model.safetensors")
    weights["model.norm.weight"].fill_(math.nan)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    for mode in MODES:
        with pytest.raises(
            ReaderFault,
            match="gave a score of nan, expected a finite number; try CONTEXTSVC_PRECISION=float32",
        ):
            tiny(folder, mode).score(PROMPT, ALL, "2379")


def test_a_model_with_a_sliding_window_takes_exact_alone(tmp_path: Path) -> None:
    folder = save_reader(tmp_path)
    path = folder / "config.json"
    path.write_text(
        path.read_text().replace('"model_type": "llama"', '"sliding_window": 8, "model_type": "llama"')
    )
    for mode in ("blocks", "masked"):
        with pytest.raises(SettingError, match="set CONTEXTSVC_READER_MODE=exact"):
            tiny(folder, mode)
    assert np.isfinite(tiny(folder, "exact").score(PROMPT, ALL, "2379").values).all()


def test_an_unknown_mode_is_refused_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="'fast'; expected one of blocks, masked, exact"):
        TransformersReader(tmp_path, mode="fast")


def test_loading_writes_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = save_reader(tmp_path)
    capfd.readouterr()
    TransformersReader(folder).answer(PROMPT)
    assert capfd.readouterr() == ("", "")


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="cannot be loaded; expected a causal language model"):
        TransformersReader(tmp_path)
