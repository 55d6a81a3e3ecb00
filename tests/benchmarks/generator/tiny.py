"""A tiny untrained Llama, and the words it knows."""

from __future__ import annotations

from pathlib import Path

from rejoinder.parts.prompt import Prompt, Template
from tests.generators import SPOKEN, write_tokenizer

TEMPLATE = Template("", ("<u> ", " <e>"), ("<b> ", " <e>"))


def tiny_prompt(folder: Path, template: Template = TEMPLATE) -> Prompt:
    """A prompt of the tests' words."""
    write_tokenizer(folder / "tokenizer.json", sorted(SPOKEN))
    return Prompt(folder / "tokenizer.json", template, 32)


def write_tiny_model(folder: Path, vocabulary: int, seed: int = 0) -> Path:
    """A model in Hugging Face's layout."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=vocabulary, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=128, initializer_range=0.5, tie_word_embeddings=True,
    )  # fmt: skip
    LlamaForCausalLM(config).eval().save_pretrained(folder)
    return folder
