"""Peers: other people's servers around sentence-transformers with our weights, in environments of their own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import click

from benchmarks.serving.server import Server, free_port, start
from rejoinder.process import OPENMP_THREADS
from rejoinder.release.tokenizer_file import TOKENIZER
from stages.common.base_encoder import base_folder
from stages.training.encoder import CONFIG, PROJECTION

ENVIRONMENTS = Path(".venv-serving")
MODEL = "rejoinder"
_APP = Path(__file__).with_name("litserve_app.py")
_TORCH = "torch==2.13.0"
_QUIET = {
    "HF_HUB_OFFLINE": "1",
    "DO_NOT_TRACK": "1",
    "INFINITY_ANONYMOUS_USAGE_STATS": "0",
    "TOKENIZERS_PARALLELISM": "false",
}


@dataclass(frozen=True, slots=True)
class Peer:
    """A server of other people.

    Attributes:
        title: what it is called here.
        environment: name of its folder.
        packages: that are installed there.
        words: of its command; `{port}`, `{model}`, `{python}` and its `{folder}` stand for what they say.
        health: path that it answers once it is ready.
        variables: of its environment.
        is_needed: whether there is no measurement without it.
    """

    title: str
    environment: str
    packages: tuple[str, ...]
    words: tuple[str, ...]
    health: str = "/health"
    variables: Mapping[str, str] = field(default_factory=dict)
    is_needed: bool = True


_LITSERVE = ("litserve==0.2.19", "sentence-transformers==6.2.0", "transformers==5.23.0", _TORCH)
_LIT_WORDS = ("{python}", str(_APP), "{model}", "{port}")
PEERS = {
    "litserve": Peer("LitServe", "litserve", _LITSERVE, (*_LIT_WORDS, "1")),
    "litserve-2": Peer("LitServe, 2 workers, 1 thread each", "litserve", _LITSERVE, (*_LIT_WORDS, "2"),
                       variables={OPENMP_THREADS: "1"}),
    "infinity": Peer(
        "infinity-emb",
        "infinity",
        ("infinity-emb[server,torch]==0.0.78", _TORCH),
        ("{folder}/infinity_emb", "v2", "--model-id", "{model}", "--served-model-name", MODEL, "--device", "cpu",
         "--engine", "torch", "--no-bettertransformer", "--url-prefix", "/v1", "--log-level", "warning",
         "--port", "{port}"),
        health="/v1/models",
        is_needed=False,
    ),
}  # fmt: skip


def install(peer: Peer) -> Path:
    """Make a peer's environment, unless it is there.

    Args:
        peer: whose.

    Returns:
        Its Python.

    Raises:
        SystemExit: if that fails, with what was said.
    """
    folder = (ENVIRONMENTS / peer.environment).resolve()
    python, mark = folder / "bin" / "python", folder / "installed.txt"
    wanted = "\n".join(peer.packages)
    if not mark.exists() or mark.read_text() != wanted:
        click.echo(f"{ENVIRONMENTS}/{peer.environment}: installing", err=True)
        shutil.rmtree(folder, ignore_errors=True)
        uv = Path(sys.executable).with_name("uv")
        # uv does not read pip's find-links; where pip is told of local wheels, so is uv.
        links = {"UV_FIND_LINKS": os.environ.get("PIP_FIND_LINKS", "")} | dict(os.environ)
        for words in (
            ["venv", "--quiet", "--python", sys.executable, str(folder)],
            ["pip", "install", "--quiet", "--python", str(python), *peer.packages],
        ):
            done = subprocess.run([str(uv), *words], env=links, capture_output=True, text=True, check=False)
            if done.returncode:
                raise SystemExit(done.stderr[-2000:])
        mark.write_text(wanted)
    return python


def lay_out(encoder: Path, base: str, folder: Path) -> Path:
    """Lay an encoder of ours out as sentence-transformers has it, in a form that all its versions read.

    Args:
        encoder: folder of the stage `vectorizer` or `student`, without projection.
        base: names the encoder that it was made of, in that layout.
        folder: to be made.

    Returns:
        The folder.

    Raises:
        SystemExit: if the encoder has a projection, which this layout has not.
    """
    if (encoder / PROJECTION).exists():
        raise SystemExit(f"{encoder.name}: expected an encoder without projection. Next: encoder: teacher")
    shutil.copytree(base_folder(base), folder)
    length = json.loads((encoder / CONFIG).read_text())["max_length"]
    for name in ("config.json", "model.safetensors", TOKENIZER):
        shutil.copyfile(encoder / name, folder / name)
    (folder / "sentence_bert_config.json").write_text(
        json.dumps({"max_seq_length": length, "do_lower_case": False})
    )
    told = json.loads((folder / "tokenizer_config.json").read_text())
    told |= {"model_max_length": length, "truncation_side": "left"}
    (folder / "tokenizer_config.json").write_text(json.dumps(told))
    return folder


@contextmanager
def running(peer: Peer, model: Path) -> Iterator[Server]:
    """Run a peer while the block runs.

    Args:
        peer: which.
        model: from `lay_out`.

    Yields:
        The server, ready.
    """
    python, port = install(peer), free_port()
    places = {"python": str(python), "folder": str(python.parent), "model": str(model.resolve()), "port": str(port)}
    with tempfile.TemporaryDirectory(prefix="rejoinder-serving-") as folder:
        command = [word.format(**places) for word in peer.words]
        server = start(command, port, Path(folder), {**_QUIET, **peer.variables})
        try:
            server.wait_ready(peer.health)
            yield server
        finally:
            server.end_group()
