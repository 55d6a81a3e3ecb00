"""What makes a build small: a slice of the packaged conversations, and parameters laid over the product's."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import yaml

from rejoinder.atomic import write_text


def write_params(path: Path, product: Path, *layers: Mapping[str, Mapping[str, Any]]) -> None:
    """Write the product's parameters with some of them changed.

    Args:
        path: params.yaml to write.
        product: params.yaml of the product.
        *layers: changes by stage; later ones win.
    """
    params = yaml.safe_load(product.read_text(encoding="utf-8"))
    for layer in layers:
        for stage, changes in layer.items():
            params[stage].update(changes)
    write_if_other(path, yaml.safe_dump(params, sort_keys=False))


def write_slice(path: Path, conversations: int) -> None:
    """Write the first packaged conversations in which two people speak, as a native log."""
    write_if_other(path, "".join(json.dumps(row) + "\n" for row in _rows(conversations)))


def write_if_other(path: Path, text: str) -> None:
    """Write a file whole, unless it holds that already: what is as it was keeps its time."""
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, text)


def _rows(conversations: int) -> Iterator[dict[str, str]]:
    import chitchat_dataset

    said = {name: _messages(talk) for name, talk in chitchat_dataset.Dataset().items()}
    shared = (item for item in said.items() if len({message["sender"] for message in item[1]}) > 1)
    for name, messages in islice(shared, conversations):
        for number, message in enumerate(messages):
            yield {
                "conversation_id": name, "message_id": str(number), "sender": message["sender"],
                "sent_at": message["timestamp"], "text": message["text"],
            }  # fmt: skip


def _messages(talk: Mapping[str, Any]) -> list[dict[str, str]]:
    return [message for turn in talk["messages"] for message in turn if message["text"].strip()]
