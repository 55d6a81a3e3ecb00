"""params.yaml: one section a stage and one that they share, read strictly, every problem reported with its line."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

import stages
from stages.common.errors import ParamsError


class StageParams(BaseModel):
    """Base of every stage's `Params`: strict, frozen, no unknown keys."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", allow_inf_nan=False)
    #: Fields that come from the section `shared`; dvc.yaml names the same.
    SHARED: ClassVar[tuple[str, ...]] = ()


class SharedParams(StageParams):
    """Section `shared` of params.yaml: what several stages use, each only the keys in its `SHARED`."""

    base: str
    """Untrained encoder: an installed package that carries one, or a folder in Hugging Face's layout."""
    encoder: Literal["teacher", "student"]
    """Which encoder is served."""


SHARED_SECTION = "shared"
P = TypeVar("P", bound=StageParams)


def load_params(path: Path, stage: str, model: type[P]) -> P:
    """Read one stage's section, and what it uses of the section `shared`.

    Args:
        path: params.yaml.
        stage: the section's name.
        model: what both must look like together.

    Returns:
        The stage's parameters.

    Raises:
        ParamsError: naming every problem with its line, what was expected and what to do.
    """
    root = _compose(path)
    sections, known = {key.value: node for key, node in root.value}, _known_sections()
    problems = [
        f"{path}:{key.start_mark.line + 1}: unknown section {key.value!r}; expected one of {', '.join(known)}"
        for key, _ in root.value
        if key.value not in known
    ]
    shared = sections.get(SHARED_SECTION, yaml.MappingNode("tag:yaml.org,2002:map", []))
    problems += _shared_problems(path, shared)
    section = sections.get(stage)
    if section is None:
        problems.append(f"{path}: no section {stage!r}; expected one for every stage")
        raise _error(problems)
    problems += _twice(path, stage, section, model)
    used = _with_shared(section, shared, model)
    try:
        parsed = model.model_validate(_plain(used))
    except ValidationError as error:
        problems += [_describe(path, stage, used, e, model) for e in error.errors()]
    if problems:
        raise _error(problems)
    return parsed


def _known_sections() -> list[str]:
    """One a folder with a stage in it: the list of stages is no code that a stage runs."""
    folders = (path.parent.name for root in stages.__path__ for path in Path(root).glob("*/stage.py"))
    return [SHARED_SECTION, *sorted(folders)]


def _shared_problems(path: Path, shared: yaml.Node) -> list[str]:
    if not isinstance(shared, yaml.MappingNode):
        return [f"{path}:{shared.start_mark.line + 1}: {SHARED_SECTION}: expected keys with values, got none"]
    known = ", ".join(SharedParams.model_fields)
    return [
        f"{path}:{key.start_mark.line + 1}: {SHARED_SECTION}.{key.value}: unknown key; expected one of {known}"
        for key, _ in shared.value
        if key.value not in SharedParams.model_fields
    ]


def _twice(path: Path, stage: str, section: yaml.Node, model: type[StageParams]) -> list[str]:
    return [
        f"{path}:{key.start_mark.line + 1}: {stage}.{key.value}: expected in section {SHARED_SECTION} alone"
        for key, _ in _items(section)
        if key.value in model.SHARED
    ]


def _with_shared(section: yaml.Node, shared: yaml.Node, model: type[StageParams]) -> yaml.Node:
    """A section with the keys that it uses of `shared`, which keep their lines."""
    if not isinstance(section, yaml.MappingNode):
        return section
    used = [(key, value) for key, value in _items(shared) if key.value in model.SHARED]
    own = [(key, value) for key, value in section.value if key.value not in model.SHARED]
    return yaml.MappingNode(section.tag, [*own, *used], section.start_mark, section.end_mark)


def _items(node: yaml.Node) -> list[tuple[yaml.Node, yaml.Node]]:
    return list(node.value) if isinstance(node, yaml.MappingNode) else []


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


def _describe(path: Path, stage: str, section: yaml.Node, error: Any, model: type[StageParams]) -> str:
    location = [str(part) for part in error["loc"]]
    name = ".".join([SHARED_SECTION if location[:1] and location[0] in model.SHARED else stage, *location])
    where = f"{path}:{_line(section, location)}: {name}"
    if error["type"] == "extra_forbidden":
        known = [field for field in model.model_fields if field not in model.SHARED]
        return f"{where}: unknown key; expected one of {', '.join(known)}"
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
