"""The remarks bundle is built of themes, and its network finds them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml

from rejoinder.errors import BundleError
from rejoinder.parts import HEADS, REMARKS, VECTORIZER
from rejoinder.parts.opened import open_model, open_release
from rejoinder.parts.remarks import NETWORK, Remarks
from rejoinder.release.manifest import read_manifest
from stages.common.turn_vectors import write_turns
from stages.remarks.stage import Params, run
from tests.bundles import _SENTENCES, HEADS_DIM, build_whole, pin, reseal

PARAMS = Params(
    min_fit=0.3, min_score=0.4, hidden=32, ordinary=40, ordinary_weight=0.1, max_cosine=0.9, held_out=0.3, seed=0
)
WHO = ("i", "you", "we", "they", "my cat", "the weather")
THEMES = [
    {"theme": "home", "turns": [f"{who} miss home" for who in WHO], "replies": ["Oh no.", "Go on."]},
    {"theme": "music", "turns": [f"{who} know music" for who in WHO], "replies": ["Nice!", "Which?"]},
    {"theme": "last-resort", "turns": [], "replies": ["Hm.", "Tell me."]},
]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("remarks")
    bundles = build_whole(folder / "build")
    vectorizer, _ = open_model(bundles[VECTORIZER.bundle])
    sentences = list(_SENTENCES)
    rows = [
        {"split": "validation" if n % 3 == 0 else "train", "context": [text]} for n, text in enumerate(sentences)
    ]
    (folder / "dialogues").mkdir()
    pl.DataFrame(rows).write_parquet(folder / "dialogues" / "pairs.parquet")
    (folder / "turns").mkdir()
    write_turns(folder / "turns", vectorizer, sentences, vectorizer.encode(sentences))
    (folder / "themes").mkdir()
    (folder / "themes" / "some.yaml").write_text(yaml.safe_dump(THEMES))
    run(
        PARAMS,
        remarks=folder / "themes",
        dialogues=folder / "dialogues",
        export=folder / "build",
        turns=folder / "turns",
        heads=folder / "build",
        out=folder / "remarks",
    )
    return folder


def opened(built: Path) -> Remarks:
    bundle = built / "remarks" / REMARKS.bundle
    return Remarks(bundle, read_manifest(bundle), HEADS_DIM, 32)


def test_the_network_finds_the_theme_of_its_examples(built: Path) -> None:
    remarks, quiet = opened(built), np.zeros(HEADS_DIM, np.float32)
    vectorizer, _ = open_model(built / "build" / VECTORIZER.bundle)
    for number, theme in enumerate(THEMES[:2]):
        vectors = vectorizer.encode(list(theme["turns"]))
        assert [remarks.nearest(vector, quiet)[0] for vector in vectors] == [number] * len(WHO)
        assert all(0 < remarks.nearest(vector, quiet)[1] <= 1 for vector in vectors)


def test_metrics_say_what_was_found_of_unseen_examples(built: Path) -> None:
    figures = json.loads((built / "remarks" / "metrics.json").read_text())
    assert (figures["themes"], figures["turns"], figures["texts"]) == (3, 12, 6)
    assert figures["found"] >= 0.5
    assert figures["found"] + figures["wrong"] <= 1


def test_the_bundle_opens_in_a_release_and_a_network_of_another_shape_does_not(built: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(built / "build", tmp_path / "build")
    bundles = {path.name: path for path in (tmp_path / "build").iterdir() if (path / "manifest.json").exists()}
    mine = tmp_path / REMARKS.bundle
    shutil.copytree(built / "remarks" / REMARKS.bundle, mine)
    reseal(mine, ties={HEADS.bundle: read_manifest(bundles[HEADS.bundle]).digest})
    assert open_release(pin({**bundles, REMARKS.bundle: mine})).remarks is not None
    np.save(mine / NETWORK, np.zeros((3, 3), np.float16))
    reseal(mine)
    with pytest.raises(BundleError, match="network"):
        open_release(pin({**bundles, REMARKS.bundle: mine}))
