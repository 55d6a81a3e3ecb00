from pathlib import Path

import pytest
from pydantic import Field

from stages.common.errors import ParamsError
from stages.common.params import SharedParams, StageParams, load_params
from stages.names import STAGES, load_stage
from stages.vectorizer import stage as vectorizer
from tests.reach import ROOT


class Params(StageParams):
    steps: int = Field(ge=1, le=10)
    layers: list[int]


class WithBase(Params):
    SHARED = ("base",)
    base: str


GOOD = "gate:\n  steps: 3\n  layers: [0, 2]\n"


def load(tmp_path: Path, text: str, model: type[Params] = Params) -> Params:
    path = tmp_path / "params.yaml"
    path.write_text(text)
    return load_params(path, "gate", model)


def refusal(tmp_path: Path, text: str, model: type[Params] = Params) -> str:
    with pytest.raises(ParamsError) as caught:
        load(tmp_path, text, model)
    return str(caught.value)


def test_reads_a_section(tmp_path: Path) -> None:
    assert load(tmp_path, GOOD) == Params(steps=3, layers=[0, 2])


def test_unknown_key_names_line_and_known_keys(tmp_path: Path) -> None:
    message = refusal(tmp_path, GOOD + "  speed: 1\n")
    assert "params.yaml:4: gate.speed: unknown key; expected one of steps, layers" in message


def test_value_out_of_range_names_line_limit_and_value(tmp_path: Path) -> None:
    message = refusal(tmp_path, "gate:\n  layers: [1]\n  steps: 11\n")
    assert "params.yaml:3: gate.steps" in message
    assert "less than or equal to 10" in message
    assert "got 11" in message


def test_wrong_type_is_refused_not_converted(tmp_path: Path) -> None:
    assert "gate.steps" in refusal(tmp_path, "gate:\n  steps: '3'\n  layers: [1]\n")


def test_item_of_a_list_is_named_by_its_line(tmp_path: Path) -> None:
    assert "params.yaml:5: gate.layers.1" in refusal(tmp_path, "gate:\n  steps: 3\n  layers:\n    - 1\n    - x\n")


def test_all_problems_are_reported_at_once(tmp_path: Path) -> None:
    message = refusal(tmp_path, "gates: {}\ngate:\n  steps: 0\n  other: 1\n")
    assert "unknown section 'gates'" in message
    assert all(stage in message for stage in STAGES)
    assert "gate.steps" in message
    assert "gate.other" in message
    assert "gate.layers: missing" in message


@pytest.mark.parametrize("text", ["", "- 1\n", "gate: [\n", "ingest: {}\n"])
def test_unusable_files_are_named(tmp_path: Path, text: str) -> None:
    assert "params.yaml" in refusal(tmp_path, text)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match="no such file"):
        load_params(tmp_path / "params.yaml", "gate", Params)


def test_a_rule_over_several_keys_is_explained(tmp_path: Path) -> None:
    text = (ROOT / "params.yaml").read_text().replace("  validate_every: 50\n", "  validate_every: 5000\n", 1)
    (tmp_path / "params.yaml").write_text(text)
    with pytest.raises(ParamsError, match=r"vectorizer: validate_every must not be above max_steps"):
        load_params(tmp_path / "params.yaml", "vectorizer", vectorizer.Params)


SHARED = "shared:\n  base: an-encoder\n"


def test_a_stage_gets_the_shared_keys_that_it_names(tmp_path: Path) -> None:
    assert load(tmp_path, SHARED + GOOD, WithBase) == WithBase(steps=3, layers=[0, 2], base="an-encoder")
    assert load(tmp_path, SHARED + GOOD) == Params(steps=3, layers=[0, 2])


def test_a_shared_key_in_a_stages_section_is_named_by_its_line(tmp_path: Path) -> None:
    for text in (SHARED + GOOD + "  base: other\n", "shared: {}\n\n" + GOOD + "  base: other\n"):
        message = refusal(tmp_path, text, WithBase)
        assert f"params.yaml:{text.count(chr(10))}: gate.base: expected in section shared alone" in message
    assert "params.yaml:6: gate.base: unknown key" in refusal(tmp_path, SHARED + GOOD + "  base: other\n")


def test_a_wrong_shared_value_is_named_where_it_stands(tmp_path: Path) -> None:
    assert "params.yaml:2: shared.base: " in refusal(tmp_path, "shared:\n  base: 3\n" + GOOD, WithBase)


@pytest.mark.parametrize("text", [GOOD, "shared: {}\n" + GOOD])
def test_a_missing_shared_key_is_named(tmp_path: Path, text: str) -> None:
    assert "shared.base: missing" in refusal(tmp_path, text, WithBase)


def test_an_unknown_shared_key_is_named_by_its_line_to_every_stage(tmp_path: Path) -> None:
    message = refusal(tmp_path, SHARED + "  bass: x\n" + GOOD)
    assert "params.yaml:3: shared.bass: unknown key; expected one of base, encoder" in message
    assert "params.yaml:1: shared: expected keys with values" in refusal(tmp_path, "shared:\n" + GOOD)


def test_every_shared_key_is_of_a_stage_and_every_stages_of_the_section() -> None:
    used = {key for stage in STAGES for key in load_stage(stage).Params.SHARED}
    assert used == set(SharedParams.model_fields)
    for stage in STAGES:
        model = load_stage(stage).Params
        assert set(model.SHARED) <= set(model.model_fields)
