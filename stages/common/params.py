"""params.yaml: one section a stage, read strictly, every problem reported with its line."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from stages import STAGES
from stages.common.errors import ParamsError


class StageParams(BaseModel):
    """Base of every stage's `Params`: strict, frozen, no unknown keys."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", allow_inf_nan=False)


P = TypeVar("P", bound=StageParams)


def load_params(path: Path, stage: str, model: type[P]) -> P:
    """Read one stage's section.

    Args:
        path: params.yaml.
        stage: the section's name.
        model: what the section must look like.

    Returns:
        The parsed section.

    Raises:
        ParamsError: naming every problem with its line, what was expected and what to do.
    """
    root = _compose(path)
    problems = [
        f"{path}:{key.start_mark.line + 1}: unknown section {key.value!r}; expected one of {', '.join(STAGES)}"
        for key, _ in root.value
        if key.value not in STAGES
    ]
    section = next((node for key, node in root.value if key.value == stage), None)
    if section is None:
        problems.append(f"{path}: no section {stage!r}; expected one for every stage")
        raise _error(problems)
    try:
        parsed = model.model_validate(_plain(section))
    except ValidationError as error:
        problems += [_describe(path, stage, section, e, model) for e in error.errors()]
    if problems:
        raise _error(problems)
    return parsed


def _error(problems: list[str]) -> ParamsError:
    return ParamsError(
        "\n".join([*problems, "next: correct the lines above; stages/<stage>/stage.py documents each key"])
    )


def _compose(path: Path) -> yaml.MappingNode:
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except FileNotFoundError:
        raise ParamsError(f"{path}: no such file; run from the project's root") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else "?"
        raise ParamsError(f"{path}:{line}: not YAML: {getattr(error, 'problem', 'unreadable')}") from None
    if not isinstance(root, yaml.MappingNode):
        raise ParamsError(f"{path}: expected one section a stage, got something else")
    return root


def _plain(node: yaml.Node) -> Any:
    loader = yaml.SafeLoader("")
    return loader.construct_document(node)


def _describe(path: Path, stage: str, section: yaml.Node, error: Any, model: type[BaseModel]) -> str:
    location = [str(part) for part in error["loc"]]
    name = ".".join([stage, *location])
    where = f"{path}:{_line(section, location)}: {name}"
    if error["type"] == "extra_forbidden":
        return f"{where}: unknown key; expected one of {', '.join(model.model_fields)}"
    if not location:  # a rule over several keys
        return f"{where}: {error['msg'].removeprefix('Value error, ')}"
    if error["type"] == "missing":
        return f"{where}: missing; expected {error['msg'].lower()}"
    if stage == "ingest" and location[0] == "canaries":  # what is planted must not be in any log
        return f"{where}: {error['msg'].lower()}"
    return f"{where}: {error['msg'].lower()}; got {error['input']!r}"


def _line(node: yaml.Node, location: list[str]) -> int:
    line = node.start_mark.line + 1
    for part in location:
        if isinstance(node, yaml.MappingNode):
            found = [(key, value) for key, value in node.value if key.value == part]
            if not found:
                break
            line, node = found[0][0].start_mark.line + 1, found[0][1]
        elif isinstance(node, yaml.SequenceNode) and part.isdigit() and int(part) < len(node.value):
            node = node.value[int(part)]
            line = node.start_mark.line + 1
    return line
