"""Ed25519 keys in PEM files, and signatures by them (RFC 8032), by the library cryptography."""

from __future__ import annotations

import base64
import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.errors import UsageError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

__all__ = ["fingerprint", "is_signed_by", "make_keys", "public_text", "read_private", "read_public", "sign"]


def make_keys(path: Path) -> Path:
    """Write a new private key to ``path``, for its owner's eyes alone, and its public key beside it.

    Returns:
        The file of the public key, ``NAME.pub.pem``.

    Raises:
        UsageError: one of the files is there already, or cannot be written.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    public = path.with_name(f"{path.name.removesuffix('.pem')}.pub.pem")
    there = next((one for one in (path, public) if one.exists()), None)
    if there is not None:
        raise UsageError(f"{there} is there already, and a key is never replaced; choose another name")
    key = Ed25519PrivateKey.generate()
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secret)
        public.write_bytes(
            key.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        )
    except OSError as error:
        raise UsageError(f"the key {path} cannot be written: {error.strerror}") from None
    return public


def read_private(path: Path) -> Ed25519PrivateKey:
    """Read a private key.

    Raises:
        UsageError: there is no such file, or it is no ed25519 key without a password.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(_bytes(path), password=None)
    except (ValueError, TypeError):  # TypeError: it has a password
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise UsageError(
            f"{path} is no ed25519 private key without a password in PEM; 'screentest keygen' makes one"
        )
    return key


def read_public(path: Path) -> str:
    """Read a public key; returned as `public_text`.

    Raises:
        UsageError: there is no such file, or it is no ed25519 public key.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(_bytes(path))
    except ValueError:
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise UsageError(
            f"{path} is no ed25519 public key in PEM; give the .pub.pem file that 'screentest keygen' wrote"
        )
    return base64.b64encode(key.public_bytes_raw()).decode()


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"the key {path} cannot be read: {error.strerror}") from None


def public_text(key: Ed25519PrivateKey) -> str:
    """Write the public key of a private one as text: its 32 bytes in base64."""
    return base64.b64encode(key.public_key().public_bytes_raw()).decode()


def sign(key: Ed25519PrivateKey, message: bytes) -> str:
    """Sign a message; the signature's 64 bytes in base64."""
    return base64.b64encode(key.sign(message)).decode()


def is_signed_by(public: str, message: bytes, signature: str) -> bool:
    """Check a signature; text that is no key or no signature is none."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public, validate=True))
        key.verify(base64.b64decode(signature, validate=True), message)
    except (ValueError, InvalidSignature):
        return False
    return True


def fingerprint(public: str) -> str:
    """Name a public key by the first 16 hex digits of the sha256 of its text."""
    return hashlib.sha256(public.encode()).hexdigest()[:16]
