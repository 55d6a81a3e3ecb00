from pathlib import Path

import pytest
from pydantic import Field

from stages import STAGES
from stages.common.errors import ParamsError
from stages.common.params import StageParams, load_params
from stages.vectorizer import stage as vectorizer
from tests.reach import ROOT


class Params(StageParams):
    steps: int = Field(ge=1, le=10)
    layers: list[int]


GOOD = "gate:\n  steps: 3\n  layers: [0, 2]\n"


def load(tmp_path: Path, text: str) -> Params:
    path = tmp_path / "params.yaml"
    path.write_text(text)
    return load_params(path, "gate", Params)


def refusal(tmp_path: Path, text: str) -> str:
    with pytest.raises(ParamsError) as caught:
        load(tmp_path, text)
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
