import pytest

from flows.errors import FlowError
from flows.retrain import is_transient
from registry.errors import RegistryError, TrackingError, TransferError, VerdictError


class Failed:
    """A state as Prefect hands it over."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def result(self, *, raise_on_failure: bool) -> Exception:
        assert not raise_on_failure
        return self.error


@pytest.mark.parametrize("error", [TrackingError("x"), TransferError("x")])
def test_a_lost_network_is_tried_again(error: Exception) -> None:
    assert is_transient(None, None, Failed(error))


@pytest.mark.parametrize("error", [FlowError("x"), RegistryError("x"), VerdictError("x"), ValueError("x")])
def test_a_verdict_or_a_defect_is_not(error: Exception) -> None:
    assert not is_transient(None, None, Failed(error))
