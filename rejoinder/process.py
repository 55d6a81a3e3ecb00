"""Process: what must be set before numpy, torch, FAISS and ONNX Runtime are imported, in one place.

Libraries read these variables once, when they are loaded. Our own programs call `configure_process` first of all;
within somebody's program, `import rejoinder` turns telemetry off and changes nothing else. What is set already is
never changed.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from rejoinder.cgroups import cpu_quota, text
from rejoinder.errors import InputError

THREADS = "REJOINDER_THREADS"
WAITING = "OMP_WAIT_POLICY"
OPENMP_THREADS = "OMP_NUM_THREADS"
TELEMETRY = "ORT_DISABLE_TELEMETRY"
#: Who reads a variable, once, when it is loaded. OpenBLAS, in numpy, has no name of its own for the number.
_READERS = {
    WAITING: ("faiss", "torch"),
    OPENMP_THREADS: ("numpy", "faiss", "torch"),
    TELEMETRY: ("onnxruntime",),
}
VARIABLES = tuple(_READERS)
_CPUS = Path("/sys/devices/system/cpu")
_late: list[str] = []


def configure_process() -> None:
    """Set what our own programs run with; to be called before anything heavy is imported.

    Raises:
        InputError: if `REJOINDER_THREADS` is no number.
    """
    # OpenMP's threads spin at barriers: beside a busy neighbour they burn the time that those they wait for need.
    # GOMP_SPINCOUNT=0 does the same for one of the two OpenMP libraries in use, KMP_BLOCKTIME=0 for the other.
    _set(WAITING, "PASSIVE")
    _set(OPENMP_THREADS, str(threads()))
    disable_telemetry()


def compute_alone() -> None:
    """Let every computation run in one thread, unless the user said otherwise: for who answers several at once.

    A second thread of arithmetic halves no short computation, and doubles what it costs; another request is a
    better use of the core. To be called before anything heavy is imported.
    """
    if THREADS not in os.environ:
        os.environ[THREADS] = os.environ[OPENMP_THREADS] = "1"


def disable_telemetry() -> None:
    """Keep ONNX Runtime from making an id for this machine and from calling its vendor."""
    if _set(TELEMETRY, "1") and (loaded := sys.modules.get("onnxruntime")):
        loaded.disable_telemetry_events()  # all that can still be done: the id is made, the vendor is looked up


def threads() -> int:
    """How many threads one of our processes computes with.

    Returns:
        `REJOINDER_THREADS`; if that is not set or 0, `usable_cores`.

    Raises:
        InputError: if it is no number.
    """
    found = os.environ.get(THREADS, "0")
    if not found.isdecimal():
        raise InputError(
            f"{THREADS}: expected a number of threads, got {found!r}. Next: unset it, and it is the number of "
            "cores that this process may use"
        )
    return int(found) or usable_cores()


def usable_cores() -> int:
    """Cores that this process may use: by its affinity, and by its control groups' quota, rounded down."""
    quota = cpu_quota()
    cores = allowed_cores()
    return cores if quota is None else max(1, min(cores, int(quota)))


def allowed_cores(cpus: Path = _CPUS) -> int:
    """Count the cores that this process may run on.

    Args:
        cpus: where the kernel's files on processors are.

    Returns:
        At least 1. The hyperthreads of a core count once: a second thread of arithmetic finds its units taken.
    """
    if not hasattr(os, "sched_getaffinity"):
        return os.cpu_count() or 1
    numbers = os.sched_getaffinity(0)
    return len({text(cpus / f"cpu{n}" / "topology" / "thread_siblings_list").strip() or str(n) for n in numbers})


def late_settings() -> list[str]:
    """What was set too late: which variable, and which library had been loaded."""
    return list(_late)


def _set(name: str, value: str) -> bool:
    if name in os.environ:
        return False
    os.environ[name] = value
    loaded = [reader for reader in _READERS[name] if sys.modules.get(reader)]
    _late.extend(f"{name} was not set before {reader} was loaded" for reader in loaded)
    return True
