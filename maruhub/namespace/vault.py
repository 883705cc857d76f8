"""Secrets at rest: encrypted under a key that lies beside the index, never in the pool.

The pool's records hold ciphertext alone, so a blade, a backup of blades or a rescue gives no
secret away. Whoever has the key file as well has them all: it is for its owner's eyes only.

AES-256-GCM with a random nonce of 12 bytes a secret (NIST SP 800-38D); what a secret belongs to
is its associated data, so that a row can't be given the secret of another.
"""

from __future__ import annotations

import os
import secrets
import stat
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

from maruhub.errors import Corrupt, ReadOnly, Refused, Unavailable
from maruhub.namespace.secret import Secret

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_ANEW: Final = (
    "Put the file back from a backup, or issue keys anew with `maru key rotate ACCESS_KEY`: data are safe."
)


class Vault:
    """Encrypts and decrypts secrets. Safe from many threads and processes.

    Args:
        path: The key file; made, for its owner alone, when the first secret is encrypted.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._cipher: AESGCM | None = None
        self._stamp = (0, 0)

    def __repr__(self) -> str:
        return f"Vault({str(self.path)!r})"

    def encrypt(self, secret: Secret, belongs_to: str) -> bytes:
        """Nonce and ciphertext of a secret; makes the key file if there is none.

        Raises:
            Refused: Others may read the key file.
            ReadOnly: There is none and it can't be made.
            Unavailable: It can't be read.
        """
        nonce = secrets.token_bytes(_NONCE_BYTES)
        cipher = self._opened(make=True)
        return nonce + cipher.encrypt(nonce, secret.reveal().encode(), belongs_to.encode())

    def decrypt(self, sealed: bytes, belongs_to: str) -> Secret:
        """The secret of :meth:`encrypt`'s bytes.

        Raises:
            Refused: Others may read the key file.
            Unavailable: It is missing or another than that which the secret was encrypted under.
        """
        cipher = self._opened(make=False)
        from cryptography.exceptions import InvalidTag

        try:
            text = cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], belongs_to.encode())
        except (InvalidTag, ValueError):
            raise Unavailable(
                f"the secret of {belongs_to} was encrypted under another key file than {self.path}.",
                hint=_ANEW,
            ) from None
        return Secret(text.decode())

    def _opened(self, *, make: bool) -> AESGCM:
        """The cipher; the file is looked at each time, so that a replaced or opened-up one is noticed."""
        with self._lock:
            try:
                fd = self._open()
            except FileNotFoundError:
                if not make:
                    raise Unavailable(
                        f"{self.path} is missing: secrets of access keys can't be decrypted.", hint=_ANEW
                    ) from None
                self._make()
                fd = self._open()
            with os.fdopen(fd, "rb") as file:
                found = os.fstat(fd)
                self._check(found)
                stamp = found.st_ino, found.st_mtime_ns
                if self._cipher is None or stamp != self._stamp:
                    self._cipher, self._stamp = self._cipher_of(file.read(KEY_BYTES + 1)), stamp
            return self._cipher

    def _open(self) -> int:
        try:
            return os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise Unavailable(
                f"{self.path} can't be read: {error.strerror}.", hint="Run as the user who owns it."
            ) from error

    def _check(self, found: os.stat_result) -> None:
        mode = stat.S_IMODE(found.st_mode)
        if mode & 0o077:
            raise Refused(
                f"{self.path} may be read or written by others (mode {mode:04o}).",
                hint=f"Run `chmod 600 {self.path}`; if others may have read it, rotate all keys.",
            )

    def _cipher_of(self, key: bytes) -> AESGCM:
        try:
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        except ImportError:
            raise Unavailable(
                "secrets need the package 'cryptography'.", hint="Install it: pip install 'maruhub[serve]'"
            ) from None
        if len(key) != KEY_BYTES:
            raise Corrupt(f"{self.path} holds no key of {KEY_BYTES} bytes.", hint=_ANEW)
        return AESGCM(key)

    def _make(self) -> None:
        """Puts a whole, synced file in place unless somebody else did: a name never stands for half a key."""
        temporary = self.path.with_name(f"{self.path.name}.new.{secrets.token_hex(8)}")
        try:
            fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                os.write(fd, secrets.token_bytes(KEY_BYTES))
                os.fsync(fd)
            finally:
                os.close(fd)
            try:
                # Unlike a rename a link never replaces: of two makers one wins, and both use its key.
                os.link(temporary, self.path)
            except FileExistsError:
                pass
            finally:
                temporary.unlink()
            _sync_folder(self.path.parent)
        except OSError as error:
            raise ReadOnly(
                f"{self.path} can't be made: {error.strerror}.",
                hint="Issue keys as the user who owns the hub.",
            ) from error


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
