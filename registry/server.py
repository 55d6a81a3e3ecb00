"""`python -m registry.server` has moved to `python -m deploy.mlflow_server`."""

from __future__ import annotations

import sys

if __name__ == "__main__":
    sys.exit("python -m registry.server: it has moved. Next: python -m deploy.mlflow_server, or make mlflow-server")
