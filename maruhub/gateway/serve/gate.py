"""The gate: who signed a request, and whether what it says of its body is so."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import unquote

from maruhub.gateway.guessing import Guesses
from maruhub.gateway.head import Head
from maruhub.gateway.identity import Keyring
from maruhub.gateway.s3.failure import S3Failure
from maruhub.gateway.s3.post_signature import is_signed, verify_form
from maruhub.gateway.s3.presigned import is_presigned, verify_query
from maruhub.gateway.s3.signature import Payload, PayloadMode, verify_header
from maruhub.gateway.s3.signature_v2 import is_link_v2, verify_link_v2
from maruhub.gateway.service.request import Caller
from maruhub.gateway.service.sinks import Intake
from maruhub.namespace import Namespace
from maruhub.wire.signing import Signer

if TYPE_CHECKING:
    from maruhub.api import Hub

T = TypeVar("T")

_NAMES_MAX: Final = 1024
_GUESSED: Final = ("InvalidAccessKeyId", "SignatureDoesNotMatch")


@dataclass(frozen=True, slots=True)
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
    """Lets requests in. Used from one event loop.

    Args:
        hub: Whose users.
    """

    def __init__(self, hub: Hub) -> None:
        self._store = hub.store
        self._keys = Keyring(hub.users)
        self._guesses = Guesses(time.monotonic)
        self._names: OrderedDict[str, Namespace] = OrderedDict()

    def passed(self, head: Head, *, now_s: float, virtual_bucket: str = "") -> Passed:
        """Who sent a request.

        Args:
            head: The request.
            now_s: Seconds since 1970.
            virtual_bucket: The bucket that the host names; empty where the path does.

        Raises:
            S3Failure: The signature is wrong, the key unknown or disabled, or there were too many such.
        """
        way, secrets = _Way.of(head), self._keys.secret
        if way is None:
            return Passed(Caller(), self._namespace("anonymous"))

        def verify() -> tuple[str, Payload, Signer | None]:
            if way is _Way.LINK_V2:
                return *verify_link_v2(head, now=now_s, secrets=secrets, virtual_bucket=virtual_bucket), None
            check = verify_header if way is _Way.HEADER else verify_query
            verified = check(head, now=now_s, secrets=secrets)
            return verified.signer.access_key, verified.payload, verified.signer

        client = head.client.rpartition(":")[0].strip("[]")
        access_key, payload, signer = self._checked(client, way.access_key_said(head), verify)
        caller = self._caller(access_key)
        return Passed(caller, self._namespace(caller.user), payload, signer)

    def _checked(self, client: str, said: str, verify: Callable[[], T]) -> T:
        """What ``verify`` returns; whoever guesses too often is not listened to."""
        self._guesses.check(client, said)
        try:
            verified = verify()
        except S3Failure as failure:
            if failure.code in _GUESSED:
                self._guesses.failed(client, failure.fields.get("AWSAccessKeyId", said))
            raise
        self._guesses.succeeded(client, said)
        return verified

    def _caller(self, access_key: str) -> Caller:
        key = self._keys.key(access_key)
        if key is None:
            raise S3Failure("InvalidAccessKeyId", AWSAccessKeyId=access_key)
        return Caller(key.user, key.access_key, key.admin, key.policy, key.user_policy)

    def sender(self, head: Head, fields: Mapping[str, str]) -> tuple[Caller, Namespace]:
        """Who signed a form upload; nobody, if it isn't signed. Safe from many threads.

        Raises:
            S3Failure: As :meth:`passed`.
        """
        if not is_signed(fields):
            return Caller(), Namespace(self._store, actor="anonymous")
        client = head.client.rpartition(":")[0].strip("[]")
        said = fields.get("x-amz-credential", "").partition("/")[0] or fields.get("awsaccesskeyid", "")
        access_key = self._checked(client, said, lambda: verify_form(fields, secrets=self._keys.secret))
        caller = self._caller(access_key)
        return caller, Namespace(self._store, actor=caller.user)

    @staticmethod
    def document(head: Head, passed: Passed, raw: bytes) -> bytes:
        """A document that a request has brought, unframed and checked against what was promised.

        Raises:
            S3Failure: It is not what was signed or summed.
        """
        promised = passed.payload is not None and passed.payload.mode is not PayloadMode.UNSIGNED
        if not raw and not promised and "content-length" not in head.by_name:
            return b""
        headers = (
            head.by_name
            if "content-length" in head.by_name
            else {**head.by_name, "content-length": str(len(raw))}
        )
        if passed.payload is not None and passed.payload.mode is PayloadMode.SIGNED and not raw:
            if passed.payload.sha256.lower() != _NOTHING:
                raise S3Failure("XAmzContentSHA256Mismatch")
            return b""
        intake = Intake(headers, passed.payload, passed.signer)
        document = b"".join(intake.payload(raw))
        intake.finish()
        return document

    def _namespace(self, actor: str) -> Namespace:
        names = self._names.get(actor)
        if names is None:
            names = self._names[actor] = Namespace(self._store, actor=actor)
            if len(self._names) > _NAMES_MAX:
                self._names.popitem(last=False)
        return names


class _Way(Enum):
    """How a request is signed: what stands before its access key."""

    HEADER = "Credential="
    LINK = "X-Amz-Credential="
    LINK_V2 = "AWSAccessKeyId="

    @classmethod
    def of(cls, head: Head) -> _Way | None:
        """None without a signature."""
        if "authorization" in head.by_name:
            return cls.HEADER
        if is_presigned(head):
            return cls.LINK
        return cls.LINK_V2 if is_link_v2(head) else None

    def access_key_said(self, head: Head) -> str:
        """The access key that a request says it is signed with; empty if none can be made out."""
        text = head.by_name["authorization"] if self is _Way.HEADER else head.query
        return unquote(text.partition(self.value)[2].partition("&")[0][:512]).partition("/")[0]


_NOTHING: Final = hashlib.sha256(b"").hexdigest()
