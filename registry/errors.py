"""Every error the registry raises; refused bundles raise the runtime's own `BundleError`.

RegistryError
├── VerdictError    the gate's verdict does not bless these bundles, here and now
├── TrackingError   MLflow cannot be reached, or has refused
├── NotFoundError   MLflow holds no such release or bundle
└── TransferError   what arrived is not what was sent
"""

from __future__ import annotations


class RegistryError(Exception):
    """Base of everything raised on purpose by `registry`; its message is meant for the person who ran it."""


class VerdictError(RegistryError):
    """The gate's verdict does not bless these bundles, here and now."""


class TrackingError(RegistryError):
    """MLflow cannot be reached, or has refused."""


class NotFoundError(RegistryError):
    """MLflow holds no such release or bundle."""


class TransferError(RegistryError):
    """What arrived is not what was sent."""
