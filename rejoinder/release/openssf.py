"""The OpenSSF's model signing, as this project uses it: plain files, SHA-256, nothing ignored but the signature.

Its defaults ignore everything that looks like git's; both sides must say that nothing is. Importing it takes 1.5
CPU-seconds, hence inside functions only.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rejoinder.errors import Problem, SignatureError

if TYPE_CHECKING:
    from model_signing.hashing import Config
    from model_signing.verifying import Config as Verifier


def hashing(signature: Path) -> Config:
    """How files are hashed, by signers and verifiers alike.

    Args:
        signature: the one file that is not signed.

    Returns:
        The library's configuration.
    """
    from model_signing.hashing import Config

    config = Config()  # type: ignore[no-untyped-call]
    config.use_file_serialization(hashing_algorithm="sha256", allow_symlinks=False)
    return config.set_ignored_paths(paths=[signature], ignore_git_paths=False)


def verify_key(folder: Path, signature: Path, public_key: Path) -> None:
    """Check a signature made with a key.

    Args:
        folder: what was signed.
        signature: the signature file.
        public_key: PEM file of the key.

    Raises:
        SignatureError: if the library does not confirm it.
    """
    from model_signing.verifying import Config

    verifier = Config()  # type: ignore[no-untyped-call]
    _verify(verifier.use_elliptic_key_verifier(public_key=public_key), folder, signature)


def verify_certificate(folder: Path, signature: Path, roots: Sequence[Path]) -> None:
    """Check a signature made with a certificate.

    Args:
        folder: what was signed.
        signature: the signature file.
        roots: PEM files of the root certificates.

    Raises:
        SignatureError: if the library does not confirm it.
    """
    from model_signing.verifying import Config

    verifier = Config()  # type: ignore[no-untyped-call]
    _verify(verifier.use_certificate_verifier(certificate_chain=roots), folder, signature)


def _verify(verifier: Verifier, folder: Path, signature: Path) -> None:
    try:
        verifier.set_hashing_config(hashing(signature)).verify(folder, signature)
    except Exception as error:  # the library raises whatever its many parts raise
        problem = Problem(signature.name, "a signature that the OpenSSF's library confirms", type(error).__name__)
        raise SignatureError(str(folder), [problem]) from None
