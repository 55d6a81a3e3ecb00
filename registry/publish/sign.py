"""Sign: the files of a release folder -> `release.sig`, in the format of the OpenSSF's model signing."""

from __future__ import annotations

from pathlib import Path

from registry.publish.keys import SigningKey
from rejoinder.release import openssf
from rejoinder.release.signature import SIGNATURE


def sign(folder: Path, key: SigningKey) -> None:
    """Sign all files of a release folder.

    Args:
        folder: the release folder, complete but for its signature.
        key: what signs.
    """
    from model_signing.signing import Config

    signature = folder / SIGNATURE
    config = Config()  # type: ignore[no-untyped-call]
    if key.certificates is None:
        config.use_elliptic_key_signer(private_key=key.path)
    else:
        # The library wants a chain with at least one certificate, so it gets the signer's own a second time.
        chain = key.certificates
        config.use_certificate_signer(private_key=key.path, signing_certificate=chain, certificate_chain=[chain])
    config.set_hashing_config(openssf.hashing(signature)).sign(folder, signature)
