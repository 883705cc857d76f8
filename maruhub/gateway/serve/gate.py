"""The gate: who signed a request, and whether what it says of its body is so."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from maruhub.gateway.guessing import Guesses
from maruhub.gateway.head import Head
from maruhub.gateway.identity import Keyring
from maruhub.gateway.s3.checksums import without_sums
from maruhub.gateway.s3.failure import S3Failure
from maruhub.gateway.s3.signatures.form import is_signed, verify_form
from maruhub.gateway.s3.signatures.presigned import is_presigned, verify_query
from maruhub.gateway.s3.signatures.v2 import is_link_v2, verify_link_v2
from maruhub.gateway.s3.signatures.v4 import (
    Payload,
    PayloadMode,
    Secrets,
    Verified,
    unsigned_payload,
    verify_header,
)
from maruhub.gateway.service.request import Caller
from maruhub.gateway.service.sinks import Intake
from maruhub.namespace import Namespace
from maruhub.namespace.access_key import AccessKey
from maruhub.wire.signing import Signer

if TYPE_CHECKING:
    from maruhub.api import Hub

_CALLERS_MAX: Final = 1024
_GUESSED: Final = ("InvalidAccessKeyId", "SignatureDoesNotMatch")


@dataclass(slots=True)
class Passed:
    """A request that may come in.

    Attributes:
        caller: Who it is.
        names: The hub's names, in the caller's name.
        payload: What the signature says of the body; None without one.
        signer: Who signed, with what a chain of chunks goes on from; None without a signature, and
            with one of version 2, which knows no chain.
    """

    caller: Caller
    names: Namespace
    payload: Payload | None = None
    signer: Signer | None = None


class Gate:
    """Lets requests in. Safe from many threads.

    Args:
        hub: Whose users.
    """

    def __init__(self, hub: Hub) -> None:
        self._store = hub.store
        self._keys = Keyring(hub.users)
        self._guesses = Guesses(time.monotonic)
        self._nobody = Passed(Caller(), Namespace(self._store, actor="anonymous"))
        self._callers: dict[str, tuple[AccessKey, Caller, Namespace]] = {}

    def passed(self, head: Head, *, now_s: float, virtual_bucket: str = "") -> Passed:
        """Who sent a request.

        Args:
            head: The request.
            now_s: Seconds since 1970.
            virtual_bucket: The bucket that the host names; empty where the path does.

        Raises:
            S3Failure: The signature is wrong, the key unknown or disabled, or there were too many such.
        """
        if "authorization" in head.by_name:
            return self._checked(head.client, lambda find: verify_header(head, now=now_s, secrets=find))
        if not head.query:
            return self._unsigned(head)
        if is_presigned(head):
            return self._checked(head.client, lambda find: verify_query(head, now=now_s, secrets=find))
        if is_link_v2(head):

            def verify(find: Secrets) -> Verified:
                return verify_link_v2(head, now=now_s, secrets=find, virtual_bucket=virtual_bucket)

            return self._checked(head.client, verify)
        return self._unsigned(head)

    def _unsigned(self, head: Head) -> Passed:
        # The server's runtime puts this in the place of bytes that are no text, so that two keys would
        # be one. A signature is of the bytes themselves, and says which were meant.
        if "\ufffd" in head.path:
            raise S3Failure("InvalidURI", "The path must be UTF-8, and hold no U+FFFD where nobody signs.")
        payload = unsigned_payload(head.by_name)
        if payload is None:
            return self._nobody
        return Passed(self._nobody.caller, self._nobody.names, payload)

    def sender(self, head: Head, fields: Mapping[str, str]) -> tuple[Caller, Namespace]:
        """Who signed a form upload; nobody, if it isn't signed. Safe from many threads.

        Raises:
            S3Failure: As :meth:`passed`.
        """
        if not is_signed(fields):
            return self._nobody.caller, self._nobody.names
        passed = self._checked(head.client, lambda find: verify_form(fields, secrets=find))
        return passed.caller, passed.names

    def _checked(self, peer: str, verify: Callable[[Secrets], Verified]) -> Passed:
        """Whoever ``verify`` says it is; who guesses too often is not listened to."""
        client = peer.rpartition(":")[0].strip("[]")

        def find(access_key: str) -> str | None:
            self._guesses.check(client, access_key)
            return self._keys.secret(access_key)

        try:
            verified = verify(find)
        except S3Failure as failure:
            # Where no key is named no signature was looked at: nothing was guessed.
            if failure.code in _GUESSED and "AWSAccessKeyId" in failure.fields:
                self._guesses.failed(client, failure.fields["AWSAccessKeyId"])
            raise
        self._guesses.succeeded(client, verified.access_key)
        caller, names = self._caller(verified.access_key)
        return Passed(caller, names, verified.payload, verified.signer)

    def _caller(self, access_key: str) -> tuple[Caller, Namespace]:
        """Made anew when the key's rows have changed: until then the keyring gives the same one."""
        key = self._keys.key(access_key)
        if key is None:
            raise S3Failure("InvalidAccessKeyId", AWSAccessKeyId=access_key)
        made_of, caller, names = self._callers.get(access_key, (None, None, None))
        if made_of is not key or caller is None or names is None:
            caller = Caller(key.user, key.access_key, key.admin, key.policy, key.user_policy)
            names = Namespace(self._store, actor=caller.user)
            if len(self._callers) >= _CALLERS_MAX:
                self._callers.clear()
            self._callers[access_key] = key, caller, names
        return caller, names

    @staticmethod
    def document(head: Head, passed: Passed, raw: bytes, *, summed: bool = True) -> bytes:
        """A document that a request has brought, unframed and checked against what was promised.

        Args:
            head: Of the request.
            passed: Who sent it, and what the signature says of the body.
            raw: The body as it came.
            summed: Whether a checksum among its headers is the document's.

        Raises:
            S3Failure: It is not what was signed or summed.
        """
        promised = passed.payload is not None and passed.payload.mode is not _UNSIGNED
        if not raw and not promised and "content-length" not in head.by_name:
            return b""
        headers = head.by_name if summed else without_sums(head.by_name)
        if "content-length" not in headers:
            headers = {**headers, "content-length": str(len(raw))}
        if passed.payload is not None and passed.payload.mode is _SIGNED and not raw:
            if passed.payload.sha256.lower() != _NOTHING:
                raise S3Failure("XAmzContentSHA256Mismatch")
            return b""
        intake = Intake(headers, passed.payload, passed.signer)
        document = b"".join(intake.payload(raw))
        intake.finish()
        return document


_UNSIGNED: Final = PayloadMode.UNSIGNED
_SIGNED: Final = PayloadMode.SIGNED
_NOTHING: Final = hashlib.sha256(b"").hexdigest()
