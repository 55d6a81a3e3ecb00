"""`python -m stages NAME ...`: run one stage by hand or from dvc.yaml.

The signature of the stage's `run` is its command line: a `Path` parameter `messages` becomes `--messages PATH`.
Parameters come from params.yaml, section NAME.
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
        epilog="example: python -m stages dialogues --help",
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
    options = build_parser().parse_args()
    run_stage(options.stage, options.arguments)


if __name__ == "__main__":
    main()
