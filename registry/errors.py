"""Every error the registry raises; refused bundles raise the runtime's own `BundleError`.

RegistryError
├── SigningKeyError there is no usable key to sign with
├── VerdictError    the gate's verdict does not bless these bundles, here and now
├── PromotionError  the release is not fit to be champion
├── TrackingError   MLflow cannot be reached, or has refused
├── NotFoundError   MLflow holds no such release or bundle
├── TransferError   what arrived is not what was sent
└── PromoterError   another promoter holds the release
"""

from __future__ import annotations

from rejoinder.errors import RejoinderError


class RegistryError(RejoinderError):
    """Base of everything raised on purpose by `registry`."""


class SigningKeyError(RegistryError):
    """There is no usable key to sign with."""


class VerdictError(RegistryError):
    """The gate's verdict does not bless these bundles, here and now."""


class PromotionError(RegistryError):
    """The release is not fit to be champion."""


class TrackingError(RegistryError):
    """MLflow cannot be reached, or has refused."""


class NotFoundError(RegistryError):
    """MLflow holds no such release or bundle."""


class TransferError(RegistryError):
    """What arrived is not what was sent."""


class PromoterError(RegistryError):
    """Another promoter holds the release, or took it over; nothing was changed."""
