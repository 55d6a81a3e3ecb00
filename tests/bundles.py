"""Real releases, built in milliseconds: a one-table ONNX model, a tokenizer, a cache, an index.

Also the tools of a forger: change a part, then `reseal` it so that its manifest is in order again.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from registry.publish.keys import SigningKey, new_key
from registry.publish.sign import sign
from registry.pull.install import activate, install_bundle, install_release, locked, part_dir
from rejoinder.parts import Kind, kinds, required_kinds
from rejoinder.parts.deny import DenyList, write_deny_list
from rejoinder.parts.heads import CONTEXT, REPLY, Heads, open_heads
from rejoinder.parts.heads import write_probes as write_head_probes
from rejoinder.parts.opened import open_model
from rejoinder.parts.phrases import write_cache
from rejoinder.parts.probes import write_probes
from rejoinder.parts.replies import IndexedReply, write_index, write_turns
from rejoinder.parts.vectorizer import Vectorizer, load_vectorizer
from rejoinder.release.canonical import Digest, digest_bytes, digest_file
from rejoinder.release.document import RELEASE, VERDICT, Blessing, Release, Signer
from rejoinder.release.forms import CPU, CUDA, OPENVINO, Execution, model_file
from rejoinder.release.manifest import Manifest, read_manifest, write_manifest
from rejoinder.release.proof import Installed
from rejoinder.release.signature import SIGNED
from rejoinder.release.tokenizer_file import TOKENIZER
from rejoinder.release.trust import read_public_key
from rejoinder.release.vectorizer_spec import VectorizerId, VectorizerSpec
from rejoinder.store.store import Store
from rejoinder.text import NORMALIZATION_VERSION
from tests.annotators import build_annotators
from tests.generators import build_generator
from tests.guards import build_guard, build_intents
from tests.rankers import build_ranker
from tests.remarks import build_remarks

#: The key that signs the tests' releases; tests/conftest.py makes it believed.
KEY = Path(os.environ.get("REJOINDER_TEST_KEY") or new_key("publisher", Path(tempfile.mkdtemp())).private)
os.environ["REJOINDER_TEST_KEY"] = str(KEY)  # processes that a test starts sign with the same one
#: Kinds of a release of before there were heads, and of today's.
KINDS, WHOLE = required_kinds(), kinds()
DIM = 32
OPSET = 17
#: Turns that the tests' context head reads, and the length of what heads make.
TURNS, HEADS_DIM = 3, 16
FORMS = ("cpu", "fp16")
TOLERANCE = {"CPUExecutionProvider": 1e-6, "CUDAExecutionProvider": 1e-5}

_SUBJECTS = ("i", "you", "we", "they", "my cat", "the weather")
_VERBS = ("feel", "like", "love", "miss", "know", "want")
_OBJECTS = ("lonely", "pizza", "music", "home", "rain", "hello")
_SENTENCES = tuple(f"{s} {v} {o}" for s in _SUBJECTS for v in _VERBS for o in _OBJECTS)
PHRASES = ("hi", "hello", "i feel lonely", "how are you", *_SENTENCES[5::7])
REPLIES = tuple(f"{sentence.capitalize()}!" for sentence in _SENTENCES[::3])
WORDS = sorted({word for text in (*_SENTENCES, *PHRASES) for word in text.split()} | set("!?.,'abcdefg"))


def write_tokenizer(path: Path, words: Sequence[str] = WORDS) -> None:
    """Write a word-level tokenizer with BERT's special tokens."""
    specials = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
    vocabulary = {token: number for number, token in enumerate((*specials, *words))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))  # noqa: S106
    tokenizer.add_special_tokens(list(specials))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.save(str(path))


def weights(seed: int, dim: int = DIM) -> np.ndarray[Any, np.dtype[np.float32]]:
    """An embedding table, float32 [words, dim]."""
    table = np.random.default_rng(seed).standard_normal((len(WORDS) + 4, dim))
    return table.astype(np.float32)


def write_onnx(path: Path, table: np.ndarray[Any, np.dtype[np.float32]], normalise: bool = True) -> None:
    """Write embedding -> mean over the mask -> unit length as an ONNX graph."""
    from onnx import TensorProto, checker, helper, numpy_helper, save

    node = helper.make_node
    nodes = [
        node("Gather", ["table", "input_ids"], ["tokens"]),
        node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        node("Unsqueeze", ["mask", "last"], ["weights"]),
        node("Mul", ["tokens", "weights"], ["kept"]),
        node("ReduceSum", ["kept", "turns"], ["sum"], keepdims=0),
        node("ReduceSum", ["weights", "turns"], ["count"], keepdims=0),
        node("Div", ["sum", "count"], ["mean" if normalise else "vectors"]),
    ]
    if normalise:
        nodes += [
            node("ReduceL2", ["mean"], ["norm"], axes=[1], keepdims=1),
            node("Div", ["mean", "norm"], ["vectors"]),
        ]
    ids = [helper.make_tensor_value_info(n, TensorProto.INT64, ["n", "t"]) for n in ("input_ids", "attention_mask")]
    vectors = helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["n", table.shape[1]])
    constants = [
        numpy_helper.from_array(table, "table"),
        numpy_helper.from_array(np.array([2], np.int64), "last"),
        numpy_helper.from_array(np.array([1], np.int64), "turns"),
    ]
    graph = helper.make_graph(nodes, "tiny", ids, [vectors], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
    checker.check_model(model)
    save(model, str(path))


def reseal_model(directory: Path, **changes: Any) -> Manifest:
    """Write a model's manifest anew, true to its files; `changes` replaces fields of its specification."""
    spec = _spec(directory, {form: digest_file(directory / model_file(form)) for form in FORMS})
    spec = replace(spec, **changes)
    return write_manifest(directory, "model", spec.id, {"vectorizer": asdict(spec), "tolerance": TOLERANCE})


def _spec(directory: Path, forms: Mapping[str, Digest]) -> VectorizerSpec:
    return VectorizerSpec(
        weights=forms,
        tokenizer=digest_file(directory / TOKENIZER),
        normalization=NORMALIZATION_VERSION,
        pooling="mean",
        output="l2",
        dim=DIM,
        dtype="float32",
        max_length=16,
        opset=OPSET,
    )


def reseal(directory: Path, vectorizer_id: VectorizerId | None = None, **facts: Any) -> Manifest:
    """Write a bundle's manifest anew, true to its files, with another VectorizerId or other facts."""
    old = read_manifest(directory)
    return write_manifest(directory, old.kind, vectorizer_id or old.vectorizer_id, {**old.facts, **facts})


def reseal_others(bundles: Mapping[Kind, Path], vectorizer_id: VectorizerId | None = None) -> None:
    """Write the manifests of all but the model anew, true to their files and ties, with another VectorizerId."""
    tied = ("index", "remarks", "ranker")
    for kind in bundles:
        if kind not in ("model", *tied):
            reseal(bundles[kind], vectorizer_id)
    ties = {"ties": {"heads": read_manifest(bundles["heads"]).digest}} if "heads" in bundles else {}
    for kind in tied:
        if kind in bundles:
            reseal(bundles[kind], vectorizer_id, **ties)


def build_model(directory: Path, seed: int = 0, dim: int = DIM) -> None:
    """Build a model bundle with its probes."""
    directory.mkdir(parents=True)
    for form in FORMS:
        write_onnx(directory / model_file(form), weights(seed, dim))
    write_tokenizer(directory / TOKENIZER)
    vectorizer = load_vectorizer(directory, reseal_model(directory, dim=dim))
    write_probes(directory, vectorizer)
    reseal_model(directory, dim=dim)


#: What a model of today can be run by here; its second form is a little off, as quantised ones are.
EXECUTIONS = (
    Execution("fp16", CPU, "probes.npy", 1e-6, 1e-5),
    Execution("fp16", OPENVINO, "probes.fp16.openvino.npy", 1e-6, 1e-5),
    Execution("int8", CPU, "probes.int8.cpu.npy", 1e-6, 0.01),
    Execution("int8", OPENVINO, "probes.int8.openvino.npy", 1e-6, 0.01),
    Execution("fp16", CUDA, "probes.npy", 1e-5, 1e-5),
)


def build_forms(directory: Path, seed: int = 0, dim: int = DIM) -> None:
    """Build a model bundle as today's releases have it: two forms, each proved on each engine."""
    directory.mkdir(parents=True)
    table = weights(seed, dim)
    write_onnx(directory / model_file("fp16"), table)
    write_onnx(directory / model_file("int8"), table + 0.05 * weights(seed + 1, dim))
    write_tokenizer(directory / TOKENIZER)
    reseal_forms(directory, dim=dim)


def reseal_forms(directory: Path, executions: Sequence[Execution] = EXECUTIONS, **changes: Any) -> Manifest:
    """Record what such a model's forms make of the probes, and write its manifest anew, true to its files."""
    forms = {form: digest_file(directory / model_file(form)) for form in ("fp16", "int8")}
    spec = replace(_spec(directory, forms), **changes)
    facts = {"vectorizer": asdict(spec), "executions": [asdict(execution) for execution in executions]}
    for execution in executions:
        if execution.provider in (CPU, OPENVINO):
            write_probes(directory, Vectorizer(directory, spec, execution))
    return write_manifest(directory, "model", spec.id, facts)


def build_bundles(
    root: Path,
    seed: int = 0,
    dim: int = DIM,
    shard_rows: int = 30,
    replies: Sequence[str] = REPLIES,
    *,
    model: Callable[[Path, int, int], None] = build_model,
) -> dict[Kind, Path]:
    """Build one bundle of each kind under `root`, by the code that builds the real ones."""
    bundles: dict[Kind, Path] = {kind: root / kind for kind in KINDS}
    model(bundles["model"], seed, dim)
    vectorizer, _ = open_model(bundles["model"])
    bundles["cache"].mkdir()
    write_cache(bundles["cache"], PHRASES, vectorizer.encode(PHRASES))
    write_manifest(bundles["cache"], "cache", vectorizer.id, {"phrases": len(PHRASES)})
    bundles["index"].mkdir()
    vetted = [IndexedReply(text, 5 + number % 7, 9) for number, text in enumerate(replies)]
    rows = write_index(bundles["index"], vetted, vectorizer.encode(replies), shard_rows)
    facts = {"shard_rows": rows, "context_turns": 2, "candidates": 20}
    write_manifest(bundles["index"], "index", vectorizer.id, facts)
    return bundles


def build_whole(
    root: Path,
    seed: int = 0,
    replies: Sequence[str] = REPLIES,
    *,
    model: Callable[[Path, int, int], None] = build_model,
) -> dict[Kind, Path]:
    """Build one bundle of every kind there is under `root`, as today's releases have them."""
    bundles = build_bundles(root, seed, replies=replies, model=model)
    shutil.rmtree(bundles["index"])
    return build_heads(root, bundles, seed, replies, "index")


def build_heads(
    root: Path,
    bundles: Mapping[Kind, Path],
    seed: int = 0,
    replies: Sequence[str] = REPLIES,
    index: str = "index-of-heads",
) -> dict[Kind, Path]:
    """Build heads under `root`, and an index made with them, for the vectorizer of other bundles."""
    vectorizer, _ = open_model(bundles["model"])
    made = {**bundles, "heads": root / "heads", "index": root / index}
    made["heads"].mkdir(parents=True)
    facts = {"turns": TURNS, "turn_dim": vectorizer.dim, "dim": HEADS_DIM}
    write_head_models(made["heads"], seed, vectorizer.dim)
    write_head_probes(made["heads"], Heads(made["heads"], **facts), vectorizer.encode(PHRASES))
    manifest = write_manifest(made["heads"], "heads", vectorizer.id, facts)
    index_of_heads(made["index"], made["heads"], manifest, vectorizer, replies)
    made["remarks"] = root / f"remarks{made['index'].name.removeprefix('index')}"
    build_remarks(made["remarks"], made["heads"], manifest, vectorizer)
    for kind, build in (("guard", build_guard), ("intents", build_intents)):
        made[kind] = root / f"{kind}{made['index'].name.removeprefix('index')}"
        build(made[kind], vectorizer)
    made["annotators"] = root / f"annotators{made['index'].name.removeprefix('index')}"
    build_annotators(made["annotators"], vectorizer)
    made["ranker"] = root / f"ranker{made['index'].name.removeprefix('index')}"
    build_ranker(made["ranker"], vectorizer, made["heads"], (0.0,))
    made["generator"] = root / f"generator{made['index'].name.removeprefix('index')}"
    build_generator(made["generator"], vectorizer.id, seed=seed, when="off")
    made["deny"] = root / f"deny{made['index'].name.removeprefix('index')}"
    made["deny"].mkdir()
    write_deny_list(made["deny"], DenyList(("they know rain!",), ("nothing",)), vectorizer.id)
    return {kind: made[kind] for kind in WHOLE}


def index_of_heads(
    directory: Path, heads: Path, manifest: Manifest, vectorizer: Vectorizer, replies: Sequence[str] = REPLIES
) -> None:
    """Build an index with heads."""
    directory.mkdir()
    turns = vectorizer.encode(replies)
    write_turns(directory, replies, turns)
    vetted = [IndexedReply(text, 5 + number % 7, 9) for number, text in enumerate(replies)]
    rows = write_index(directory, vetted, open_heads(heads, manifest).replies(turns), 30)
    facts = {"shard_rows": rows, "context_turns": TURNS, "candidates": 20, "ties": {"heads": manifest.digest}}
    write_manifest(directory, "index", vectorizer.id, facts)


def write_head_models(directory: Path, seed: int, turn_dim: int) -> None:
    """Write two linear heads: a context is the sum of its turns, its own counting double, a reply is one turn."""
    from onnx import TensorProto, checker, helper, numpy_helper, save

    node, info = helper.make_node, helper.make_tensor_value_info
    matrix = np.random.default_rng(seed).standard_normal((turn_dim, HEADS_DIM)).astype(np.float32)
    constants = [numpy_helper.from_array(matrix, "matrix")]
    unit = [
        node("MatMul", ["summed", "matrix"], ["made"]),
        node("ReduceL2", ["made"], ["norm"], axes=[1], keepdims=1),
        node("Div", ["made", "norm"], ["vectors"]),
    ]
    weighted = [
        node("Add", ["mask", "own"], ["weights"]),
        node("Unsqueeze", ["weights", "last"], ["wide"]),
        node("Mul", ["turns", "wide"], ["kept"]),
        node("ReduceSum", ["kept", "first"], ["summed"], keepdims=0),
    ]
    axes = [numpy_helper.from_array(np.array([n], np.int64), name) for n, name in ((2, "last"), (1, "first"))]
    flags = [info(name, TensorProto.FLOAT, ["n", TURNS]) for name in ("mask", "own")]
    graphs = {
        CONTEXT: ([*weighted, *unit], [info("turns", TensorProto.FLOAT, ["n", TURNS, turn_dim]), *flags], axes),
        REPLY: (
            [node("Identity", ["turns"], ["summed"]), *unit],
            [info("turns", TensorProto.FLOAT, ["n", turn_dim])],
            [],
        ),
    }
    for name, (nodes, inputs, more) in graphs.items():
        vectors = info("vectors", TensorProto.FLOAT, ["n", HEADS_DIM])
        graph = helper.make_graph(nodes, "tiny", inputs, [vectors], [*constants, *more])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
        checker.check_model(model)
        save(model, str(directory / name))


def pin(bundles: Mapping[Kind, Path], serial: int = 1, **fields: Any) -> Installed:
    """A signed release of bundles as they are now, in a folder of its own beside them; `fields` replaces others."""
    folder = Path(tempfile.mkdtemp(prefix="release-", dir=bundles["model"].parent))
    write_verdict(folder / VERDICT, bundles)
    manifests = {kind: read_manifest(path) for kind, path in bundles.items()}
    blessed = Blessing("gate", digest_file(folder / VERDICT))
    release = release_of(manifests, **{"serial": serial, "blessed": blessed, **fields})
    return Installed(seal(folder, release), folder, bundles)


def release_of(manifests: Mapping[Kind, Manifest], **fields: Any) -> Release:
    """A release document that pins these manifests; `fields` replaces others."""
    release = Release(
        name="rejoinder",
        serial=1,
        created="2026-01-01T00:00:00+00:00",
        expires="2099-01-01T00:00:00+00:00",
        vectorizer_id=manifests["model"].vectorizer_id,
        bundles={kind: manifest.digest for kind, manifest in manifests.items()},
        runtime=("0.1", "0.2"),
        blessed=Blessing("gate", digest_bytes(b"verdict")),
        signer=signer(),
    )
    return replace(release, **fields)


def seal(folder: Path, release: Release, key: Path = KEY) -> Release:
    """Write a release folder's document and sign the folder, as a publisher does or a forger with that key."""
    for name in SIGNED:
        if not (folder / name).exists():
            (folder / name).write_text("{}")
    (folder / RELEASE).write_bytes(release.to_bytes())
    sign(folder, SigningKey(release.signer, key, None))
    return release


def signer(key: Path = KEY) -> Signer:
    """The key of the tests, or another one made by `rejoinder keys new`, as releases name it."""
    return Signer(read_public_key(key.with_suffix(".pub")).id, key.stem)


def put_in_store(store: Store, installed: Installed) -> None:
    """Install a release the way a pull does; its bundle directories move into the store."""
    with locked(store):
        for kind, directory in installed.bundles.items():
            digest = installed.release.bundles[kind]
            if not store.bundle_dir(digest).exists():
                install_bundle(store, directory.rename(part_dir(store, digest)), digest)
        part = part_dir(store, installed.release.digest)
        install_release(store, Path(shutil.copytree(installed.folder, part)), installed.release)
        activate(store, installed.release)


def write_verdict(
    path: Path, bundles: Mapping[Kind, Path], champion: Digest | None = None, verdict: str = "BLESSED", **more: Any
) -> Path:
    """Write what the gate would say."""
    digests = {kind: read_manifest(directory).digest for kind, directory in bundles.items()}
    document = {"verdict": verdict, "reasons": [], "bundles": digests, "champion": {"digest": champion}, **more}
    path.write_text(json.dumps(document))
    return path
