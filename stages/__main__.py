"""`python -m stages NAME ...`: run one stage by hand or from dvc.yaml.

The signature of the stage's `run` is its command line: a `Path` parameter `messages` becomes `--messages PATH`. Its
default stands there too, unless it follows from the name: a stage's is `build/<stage>`, that of `out` `build/NAME`.
Parameters come from params.yaml, section NAME. A stage with a `run_preview` shows with `--preview` what it makes of
lines on standard input, outside the DAG.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import click
from click.core import ParameterSource

from rejoinder.process import configure_process
from stages.common.params import load_params
from stages.common.status import reported
from stages.names import STAGES, load_stage, stage_module

BUILD = Path("build")
_PATH = click.Path(path_type=Path)
_EXAMPLES = """\b
Examples:
  python -m stages dialogues
  python -m stages dialogues --messages build/validate/messages --out /tmp/dialogues
  python -m stages dialogues --help
  echo 'call ann at 202-555-0143' | python -m stages anonymize --preview --explain
"""


class Stages(click.Group):
    """One command a stage; only the chosen stage is imported."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The stages, in the order of the DAG."""
        return list(STAGES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Make the command of a stage; None if there is no such stage."""
        return stage_command(cmd_name) if cmd_name in STAGES else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the stages by the first line of their source."""
        with formatter.section("Stages"):
            formatter.write_dl([(stage, _first_line(stage)) for stage in STAGES])


def _first_line(stage: str) -> str:
    spec = importlib.util.find_spec(stage_module(stage))
    source = Path(spec.origin).read_text(encoding="utf-8") if spec and spec.origin else ""
    words = ast.get_docstring(ast.parse(source)) or ""
    return words.split("\n")[0].removeprefix(f"{stage.capitalize()}: ")


def stage_command(stage: str) -> click.Command:
    """Make a stage's command from the signature of its `run`."""
    module = load_stage(stage)
    paths = default_paths(stage, module.run)
    words, example = (module.__doc__ or "").replace("\n\n", "\n\n\b\n"), f"python -m stages {stage}"
    options: list[click.Parameter] = [
        click.Option(["--params"], type=_PATH, default=Path("params.yaml"), show_default=True)
    ]
    options += [_path_option(name, default) for name, default in paths.items()]
    if hasattr(module, "run_preview"):
        options += [
            click.Option(["--preview"], is_flag=True, help="Show what becomes of lines on standard input instead."),
            click.Option(["--explain"], is_flag=True, help="With --preview: name what found each span."),
        ]
        example += f"\n  echo 'call ann at 202-555-0143' | {example} --preview --explain"
    epilog = f"\b\nExamples:\n  {example}"
    return click.Command(stage, callback=_callback(stage, module), params=options, help=words, epilog=epilog)


def default_paths(stage: str, run: Callable[..., None]) -> dict[str, Path | None]:
    """What stands for each path of a stage's `run`; None where a caller must say.

    Args:
        stage: its name.
        run: its function.

    Returns:
        Paths relative to the working directory, by parameter.
    """
    named = {"out": BUILD / stage} | {name: BUILD / name for name in STAGES}
    parameters = [p for p in inspect.signature(run).parameters.values() if p.kind is inspect.Parameter.KEYWORD_ONLY]
    return {p.name: named.get(p.name) if p.default is inspect.Parameter.empty else p.default for p in parameters}


def _path_option(name: str, default: Path | None) -> click.Option:
    flag = f"--{name.replace('_', '-')}"
    if default is None:
        return click.Option([flag], type=_PATH, required=True)
    return click.Option([flag], type=_PATH, default=default, show_default=True)


def _callback(stage: str, module: ModuleType) -> Callable[..., None]:
    def call(params: Path, preview: bool = False, explain: bool = False, **paths: Path) -> None:
        if explain and not preview:
            raise click.UsageError("--explain goes with --preview")
        if preview:
            _refuse_paths(paths)
            module.run_preview(explain=explain)
        else:
            run_stage(stage, module, params, paths)

    return call


def _refuse_paths(paths: dict[str, Path]) -> None:
    context = click.get_current_context()
    if given := [n for n in paths if context.get_parameter_source(n) is ParameterSource.COMMANDLINE]:
        raise click.UsageError(f"--preview reads standard input: leave --{given[0].replace('_', '-')} out")


def run_stage(stage: str, module: Any, params: Path, paths: dict[str, Path]) -> None:
    """Read a stage's section of params.yaml and run the stage on these paths."""
    with reported(stage):
        module.run(load_params(params, stage, module.Params), **paths)


@click.command(cls=Stages, epilog=_EXAMPLES)
def cli() -> None:
    """Run one stage of the DAG."""


def main() -> None:
    """Entry point."""
    configure_process()
    cli(prog_name="python -m stages")


if __name__ == "__main__":
    main()
