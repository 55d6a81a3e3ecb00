"""Which first-party files a module reaches when it runs: its own imports, and theirs, wherever they stand."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("rejoinder", "registry", "stages", "flows", "benchmarks", "deploy")


def reached(module: str) -> set[str]:
    """Files of all first-party modules that a module imports, directly or not, itself included.

    Imports under `if TYPE_CHECKING` never run and do not count; a package's `__init__` counts where a name is
    taken from it.
    """
    found: set[str] = set()
    waiting = [_file(module)]
    while waiting:
        path = waiting.pop()
        if path is None or str(path.relative_to(ROOT)) in found:
            continue
        found.add(str(path.relative_to(ROOT)))
        waiting += [_file(name) for name in _imports(ast.parse(path.read_text()))]
    return found


def _file(module: str) -> Path | None:
    path = ROOT / module.replace(".", "/")
    return next((p for p in (path.with_suffix(".py"), path / "__init__.py") if p.is_file()), None)


def _imports(tree: ast.AST) -> Iterator[str]:
    for node in _running(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] in PACKAGES)
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in PACKAGES:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if _file(whole) else node.module


def _running(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        yield child
        yield from _running(child)
