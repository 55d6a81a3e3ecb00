"""The home: one folder for all that outlives a command.

HOME/store/                    what is installed, unless `REJOINDER_STORE` names another place
HOME/trust/                    whom this machine believes, unless `REJOINDER_TRUST` does
HOME/keys/                     private keys that were made here
HOME/champion/                 the store from which the benchmark opens the champion
HOME/accepted/snapshot.json    what later data are compared with
HOME/anonymize.key             the secret behind pseudonyms, unless `REJOINDER_ANONYMIZE_KEY` holds it
HOME/decisions/                what `rejoinder serve` has answered, and how people reacted
HOME/decisions.key             the secret behind ids in it, unless `REJOINDER_DECISIONS_KEY` holds it
HOME/server/                   the MLflow server that `deploy.mlflow_server` runs
"""

from __future__ import annotations

import os
from pathlib import Path

#: Within the working directory, unless `REJOINDER_HOME` names another.
DEFAULT = ".rejoinder"


def home() -> Path:
    """The folder at `REJOINDER_HOME`, else `.rejoinder` in the working directory; looked up at each call."""
    return Path(os.environ.get("REJOINDER_HOME") or DEFAULT)
