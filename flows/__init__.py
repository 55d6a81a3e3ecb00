"""Flows: the DAG, registration and verification, run by hand (`flows.repro`) or by Prefect (`flows.retrain`).

Prefect and the libraries that compute read their settings when they are imported, so they are set here, before any
flow imports them.
"""

import os
from pathlib import Path

from rejoinder.process import configure_process

_SETTINGS = {
    "PREFECT_HOME": str(Path(".prefect").resolve()),
    # The first start writes a database; two busy cores need more than the default 20 s.
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
}

for _name, _value in _SETTINGS.items():
    os.environ.setdefault(_name, _value)
configure_process()
