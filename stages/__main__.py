"""`python -m stages NAME ...`: run one stage by hand or from dvc.yaml.

The signature of the stage's `run` is its command line: a `Path` parameter `messages` becomes `--messages PATH`.
Parameters come from params.yaml, section NAME. A stage with a `run_preview` shows with `--preview` what it makes of
lines on standard input, outside the DAG.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import json
import os
import time
import traceback
from pathlib import Path

from registry.errors import RegistryError
from rejoinder.errors import RejoinderError
from rejoinder.process import configure_process
from stages import STAGES
from stages.errors import StageError
from stages.params import load_params

STATUS = Path("build/status")
DEBUG = "REJOINDER_DEBUG"


def build_parser() -> argparse.ArgumentParser:
    """One sub-command a stage, with only the chosen stage imported."""
    parser = argparse.ArgumentParser(
        prog="python -m stages",
        description="Run one stage of the DAG.",
        epilog="examples:\n  python -m stages dialogues --help\n"
        "  echo 'call ann at 202-555-0143' | python -m stages anonymize --preview --explain",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("stage", choices=STAGES, metavar="STAGE", help=", ".join(STAGES))
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="the stage's own arguments; see STAGE --help")
    return parser


def stage_parser(stage: str) -> argparse.ArgumentParser:
    """Build a stage's parser from the signature of its `run`."""
    module = importlib.import_module(f"stages.{stage}")
    parser = argparse.ArgumentParser(prog=f"python -m stages {stage}", description=module.__doc__)
    parser.add_argument("--params", type=Path, default=Path("params.yaml"), help="default: params.yaml")
    for name in _path_arguments(module.run):
        parser.add_argument(f"--{name.replace('_', '-')}", type=Path, required=True, metavar="PATH")
    if hasattr(module, "run_preview"):
        parser.epilog = f"Plain lines instead of paths: python -m stages {stage} --preview --help"
    return parser


def preview_parser(stage: str) -> argparse.ArgumentParser:
    """Build the parser of a stage's preview."""
    module = importlib.import_module(f"stages.{stage}")
    parser = argparse.ArgumentParser(
        prog=f"python -m stages {stage}",
        description=f"{module.run_preview.__doc__.splitlines()[0]}",
        epilog=f"example: echo 'call ann at 202-555-0143' | python -m stages {stage} --preview --explain",
    )
    parser.add_argument("--preview", action="store_true", required=True, help="read lines, not paths")
    parser.add_argument("--explain", action="store_true", help="name the rule or model behind each span")
    return parser


def _path_arguments(run: object) -> list[str]:
    parameters = inspect.signature(run).parameters.values()  # type: ignore[arg-type]
    return [p.name for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY]


def run_stage(stage: str, arguments: list[str]) -> None:
    """Parse, read params, run, and leave a machine-readable status either way.

    Args:
        stage: one of `STAGES`.
        arguments: the stage's command line.

    Raises:
        SystemExit: with the stage's message, if it fails on purpose.
    """
    options = vars(stage_parser(stage).parse_args(arguments))
    module = importlib.import_module(f"stages.{stage}")
    start = time.monotonic()
    # A killed stage writes no status: this one must not be that of the run before.
    _write_status(stage, ok=False, kind="running", message="", seconds=0.0)
    try:
        params = load_params(options.pop("params"), stage, module.Params)
        module.run(params, **options)
    except (StageError, RegistryError, RejoinderError) as error:
        kind = getattr(error, "kind", type(error).__name__)
        _write_status(stage, ok=False, kind=kind, message=str(error), seconds=time.monotonic() - start)
        raise SystemExit(f"{stage}: {error}") from None
    except Exception as error:
        # The text of an unforeseen error may quote data: its type and place are all that is shown.
        _write_status(stage, ok=False, kind="crash", message=type(error).__name__, seconds=time.monotonic() - start)
        if os.environ.get(DEBUG):
            raise
        place = "".join(traceback.format_tb(error.__traceback__))
        hint = f"next: run it again with {DEBUG}=1 to see its message, which may quote data"
        raise SystemExit(f"{place}{stage}: unforeseen {type(error).__name__}; {hint}") from None
    _write_status(stage, ok=True, kind="done", message="", seconds=time.monotonic() - start)


def _write_status(stage: str, **status: object) -> None:
    STATUS.mkdir(parents=True, exist_ok=True)
    path = STATUS / f"{stage}.json"
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps({"stage": stage, **status}) + "\n", encoding="utf-8")
    partial.replace(path)


def main() -> None:
    """Entry point."""
    configure_process()
    options = build_parser().parse_args()
    module = importlib.import_module(f"stages.{options.stage}")
    if "--preview" in options.arguments and hasattr(module, "run_preview"):
        chosen = preview_parser(options.stage).parse_args(options.arguments)
        module.run_preview(explain=chosen.explain)
    else:
        run_stage(options.stage, options.arguments)


if __name__ == "__main__":
    main()
