"""What `import rejoinder` gives."""

from __future__ import annotations

import subprocess
import sys
import tomllib

import pytest

import rejoinder
from rejoinder import errors
from tests.reach import ROOT

DIALOGUE = "'rejoinder.dialogue', "


def test_importing_loads_nothing_before_it_is_used() -> None:
    code = (
        "import sys, rejoinder\n"
        "print(sorted(m for m in sys.modules if m.startswith(('rejoinder.', 'numpy', 'onnxruntime', 'faiss'))))\n"
        "from rejoinder import Dialogue, RejoinderError\n"
        "print(sorted(m for m in sys.modules if m.startswith(('rejoinder.', 'numpy'))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    settings = "'rejoinder.cgroups', {}'rejoinder.errors', 'rejoinder.process'"  # what turns telemetry off
    assert done.stdout.splitlines() == [f"[{settings.format('')}]", f"[{settings.format(DIALOGUE)}]"]


def test_every_name_is_there() -> None:
    assert dir(rejoinder) == sorted(rejoinder.__all__)
    homes = {getattr(rejoinder, name).__module__ for name in rejoinder.__all__ if name != "__version__"}
    assert all(home.startswith("rejoinder.") for home in homes)


def test_every_error_of_the_runtime_is_given() -> None:
    raised = {
        name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Exception)
    }
    assert "RejoinderError" in raised
    assert raised <= set(rejoinder.__all__)


def test_another_name_is_refused() -> None:
    with pytest.raises(AttributeError, match="no attribute 'responder_of_tomorrow'"):
        rejoinder.responder_of_tomorrow  # type: ignore[attr-defined]  # noqa: B018
    with pytest.raises(ImportError):
        from rejoinder import Nonsense  # type: ignore[attr-defined]  # noqa: F401


def test_what_is_installed_is_typed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert "rejoinder" in packages
    assert all((ROOT / package / "py.typed").is_file() for package in packages)
