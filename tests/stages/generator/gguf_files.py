"""GGUF files for tests: the tiny Llama as other programs write it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gguf
import numpy as np

from tests.stages.generator.tiny import CHAT, tiny_llama, write_tokenizer

_NAMES = {
    "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
}  # fmt: skip


def write_gguf(
    folder: Path, architecture: str = "llama", *, chat: str | None = CHAT, has_tokenizer: bool = True
) -> Any:
    """Write a folder with one GGUF file, and return the model in it."""
    tokenizer = write_tokenizer(folder / "tokenizer")
    model = tiny_llama(len(tokenizer))
    config = model.config
    writer = gguf.GGUFWriter(str(folder / "tiny.gguf"), architecture)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(config.vocab_size)
    if has_tokenizer:
        _add_tokenizer(writer, folder / "tokenizer" / "tokenizer.json", chat)
    for name, part in model.state_dict().items():
        if (written := _name(name)) is not None:
            heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}
            writer.add_tensor(written, _turned(part.numpy(), heads.get(name.split(".")[-2])))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return model


def _add_tokenizer(writer: Any, path: Path, chat: str | None) -> None:
    known = json.loads(path.read_text())
    words = sorted(
        known["model"]["vocab"].items() | {(t["content"], t["id"]) for t in known["added_tokens"]},
        key=lambda w: w[1],
    )
    control = {token["content"] for token in known["added_tokens"]}
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list([word for word, _ in words])
    writer.add_token_types([3 if word in control else 1 for word, _ in words])
    writer.add_token_merges([" ".join(pair) for pair in known["model"]["merges"]])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    if chat is not None:
        writer.add_chat_template(chat)


def _name(name: str) -> str | None:
    if name == "model.embed_tokens.weight":
        return "token_embd.weight"
    if name == "model.norm.weight":
        return "output_norm.weight"
    if not name.startswith("model.layers."):
        return None
    number, part = name.removeprefix("model.layers.").removesuffix(".weight").split(".", 1)
    return f"blk.{number}.{_NAMES[part]}.weight"


def _turned(weight: np.ndarray[Any, Any], heads: int | None) -> np.ndarray[Any, Any]:
    """GGUF keeps the halves of rotary places side by side."""
    if heads is None:
        return weight
    rows, width = weight.shape
    return np.ascontiguousarray(
        weight.reshape(heads, 2, rows // heads // 2, width).swapaxes(1, 2).reshape(rows, width)
    )
