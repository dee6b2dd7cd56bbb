"""Real architectures with tiny random weights, saved as a model hub would hold them.

Weights come from a fixed seed; vocabularies are written here, so nothing is downloaded.
"""

from pathlib import Path

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

from contextsvc.adapters.models.torch_runtime import quiet_loading

WORDS = [
    "the", "a", "cat", "sat", "on", "mat", "with", "another", "bank", "raised", "interest", "rates", "again",
    "port", "of", "etcd", "is", "2379",
]  # fmt: skip
WINDOW_TOKENS = 16
LETTERS = sorted(pre_tokenizers.ByteLevel.alphabet())
VOCABULARY_SIZE = len(LETTERS) + 2
LLAMA_WINDOW_TOKENS = 400
CHAT_TEMPLATE = "{% for m in messages %}<|turn|>{{ m['content'] }}<|end|>{% endfor %}<|turn|>"


def save_word_tokenizer(folder: Path) -> None:
    """A BERT tokenizer that knows WORDS; other words are pieces of single characters or unknown."""
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS, *letters, *(f"##{c}" for c in letters)]
    vocabulary = {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=WINDOW_TOKENS,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
    ).save_pretrained(folder)


def bert_config() -> BertConfig:
    return BertConfig(
        vocab_size=128,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=WINDOW_TOKENS,
        num_labels=1,
        initializer_range=0.5,
    )


def save_cross_encoder(folder: Path) -> Path:
    """A cross-encoder with one label, as `transformers` saves it."""
    with torch.random.fork_rng(), quiet_loading():
        torch.manual_seed(0)
        BertForSequenceClassification(bert_config()).save_pretrained(folder)
    save_word_tokenizer(folder)
    return folder


def save_embedder(folder: Path, prompts: dict[str, str] | None = None) -> Path:
    """A BERT with mean pooling, as `sentence_transformers` saves it; its vectors are not normalised."""
    bert = folder / "bert"
    with torch.random.fork_rng(), quiet_loading():
        torch.manual_seed(0)
        BertModel(bert_config()).save_pretrained(bert)
        save_word_tokenizer(bert)
        transformer = Transformer(str(bert), max_seq_length=WINDOW_TOKENS)
        modules = [transformer, Pooling(transformer.get_embedding_dimension(), "mean")]
        model = SentenceTransformer(modules=modules, device="cpu", prompts=prompts)
        model.save(str(folder / "tiny-embedder"), create_model_card=False)
    return folder / "tiny-embedder"


def save_reader(folder: Path, chat: bool = True, uniform: bool = False) -> Path:
    """A Llama that reads bytes: every byte of a text is one token; 0 is the end, 1 starts a turn.

    Args:
        folder: Where to; its name is the reader's.
        chat: With a chat template, `<|turn|>message<|end|><|turn|>`.
        uniform: With an output layer of zeros: every token has probability 1 / VOCABULARY_SIZE.
    """
    pieces = ["<|end|>", "<|turn|>", *LETTERS]
    tokenizer = Tokenizer(models.BPE({piece: number for number, piece in enumerate(pieces)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|end|>", additional_special_tokens=["<|turn|>"]
    )
    if chat:
        fast.chat_template = CHAT_TEMPLATE
    config = LlamaConfig(
        vocab_size=VOCABULARY_SIZE,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=LLAMA_WINDOW_TOKENS,
        bos_token_id=None,
        eos_token_id=0,
        initializer_range=0.2,
    )
    with torch.random.fork_rng(), quiet_loading():
        torch.manual_seed(0)
        model = LlamaForCausalLM(config)
        if uniform:
            torch.nn.init.zeros_(model.lm_head.weight)
        model.save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder
