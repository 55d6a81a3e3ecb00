"""Opening MLflow, quietly and without telemetry, and its errors as one.

MLflow takes seconds to import and is therefore imported inside functions only. Training needs no more than this and
the address: work on the catalog retrains nothing.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from registry.errors import TrackingError
from registry.mlflow.uri import redacted_uri, tracking_uri

if TYPE_CHECKING:
    from mlflow import MlflowClient

_PASSWORD = re.compile(r"//[^/@\s]*@")
_SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    # Seven retries, the default, keep a person waiting for minutes when the server is down.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
}


def connect() -> MlflowClient:
    """Open MLflow at `tracking_uri`.

    Returns:
        A client; nothing is read or written yet, except that a new local database is set up.
    """
    for key, value in _SETTINGS.items():
        os.environ.setdefault(key, value)
    from mlflow import MlflowClient

    for noisy in ("mlflow", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)

    class Client(MlflowClient):  # type: ignore[misc]
        def _raise_if_prompt(self, name: str) -> None:
            """Before nearly every call, MLflow asks whether the model is a prompt. Ours never are."""

    with mlflow_errors("open"):
        return Client(tracking_uri=tracking_uri(), registry_uri=tracking_uri())


@contextmanager
def mlflow_errors(action: str) -> Iterator[None]:
    """Turn whatever MLflow, its HTTP client or its database raises into one error.

    Args:
        action: what is being done, for the message.

    Yields:
        Nothing.

    Raises:
        TrackingError: if MLflow fails.
    """
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError, OSError) as error:
        reason = _PASSWORD.sub("//", str(error).strip().split("\n")[0])[:300]
        raise TrackingError(
            f"MLflow at {redacted_uri()} could not {action}: {type(error).__name__}: {reason}. "
            "Next: check MLFLOW_TRACKING_URI and that the server is up"
        ) from None  # the cause's own text holds the address with its password
