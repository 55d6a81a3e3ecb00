"""A tiny Llama made from scratch, its tokenizer trained on the tests' own sentences, and talks in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from rejoinder.parts.prompt import Prompt, Template
from rejoinder.release.tokenizer_file import TOKENIZER

SENTENCES = (
    "hello there", "how are you today?", "i like rain", "do you like music?", "we want pizza", "so do i!",
    "what is your name?", "i feel lonely", "that is nice", "tell me more", "i have two cats", "haha yes",
)  # fmt: skip
OPEN, CLOSE = "<|im_start|>", "<|im_end|>"
CHAT = (
    "{% for m in messages %}{% if loop.first and m['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou help.<|im_end|>\n' }}{% endif %}"
    "{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
TEMPLATE = Template("", (f"{OPEN}user\n", f"{CLOSE}\n"), (f"{OPEN}assistant\n", f"{CLOSE}\n"))
SMALL: dict[str, Any] = {
    "base_sha256": None, "system": None, "sources": ["chitchat"], "window": 64, "learnt_share": 0.0,
    "users": [2, 2], "method": "lora",
    "rank": 2, "frozen_layers": 0, "accumulation": 1, "save_every": 2, "judged": 6, "forms": ["int4"], "samples": 4,
    "sampling": {
        "n": 2, "max_tokens": 12, "temperature": 1.0, "top_k": 0, "top_p": 1.0, "repetition_penalty": 1.0,
        "stop": [],
    },
    "when": "off", "below": 0.0, "batch_size": 2, "learning_rate": 5e-2, "warmup_steps": 1, "max_steps": 6,
    "validate_every": 3, "patience": 3, "seed": 1,
}  # fmt: skip


def write_tokenizer(folder: Path, chat: str | None = CHAT) -> Any:
    """Write a byte-level tokenizer in Hugging Face's layout."""
    from transformers import PreTrainedTokenizerFast

    plain = Tokenizer(models.BPE())
    plain.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    plain.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=330, special_tokens=[OPEN, CLOSE], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )  # fmt: skip
    plain.train_from_iterator([*SENTENCES, "user\nassistant\nsystem\n"] * 9, trainer)
    whole = PreTrainedTokenizerFast(tokenizer_object=plain, bos_token=OPEN, eos_token=CLOSE, pad_token=CLOSE)
    whole.chat_template = chat
    folder.mkdir(parents=True, exist_ok=True)
    whole.save_pretrained(folder)
    return whole


def tiny_llama(vocabulary: int = 330, seed: int = 0) -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=vocabulary, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        intermediate_size=64, max_position_embeddings=256, tie_word_embeddings=True, bos_token_id=0, eos_token_id=1,
    )  # fmt: skip
    return LlamaForCausalLM(config).eval()


def write_base(folder: Path, chat: str | None = CHAT) -> Path:
    """Write the model and its tokenizer."""
    tokenizer = write_tokenizer(folder, chat)
    tiny_llama(len(tokenizer)).save_pretrained(folder)
    return folder


def open_prompt(folder: Path, window: int = 64) -> Prompt:
    write_tokenizer(folder)
    return Prompt(folder / TOKENIZER, TEMPLATE, window)


def some_pairs(talks: int = 24, turns: int = 8) -> pl.DataFrame:
    """Pairs of talks of two; every third of validation, every fourth of a source that lends labels alone."""
    rows = []
    for talk in range(talks):
        said = [SENTENCES[(5 * talk + 7 * n) % len(SENTENCES)] for n in range(turns)]
        for n in range(1, turns):
            first = max(0, n - 4)
            rows.append(
                {
                    "pair_id": f"c{talk:02}/0/{n}",
                    "source": "seinfeld" if talk % 4 == 3 else "chitchat",
                    "split": "validation" if talk % 3 == 0 else "train",
                    "conversation_id": f"c{talk:02}",
                    "sender": f"s{talk % 5}-{n % 2}",
                    "role": "user",
                    "context": said[first:n],
                    "context_own": [(n - place) % 2 == 0 for place in range(first, n)],
                    "reply": said[n],
                }
            )
    return pl.DataFrame(rows)
