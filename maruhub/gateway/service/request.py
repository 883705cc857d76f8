"""A request on its way through the S3 door: what is asked, by whom, of what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from maruhub.gateway.head import Head
from maruhub.gateway.s3.route import Asked
from maruhub.gateway.service.pieces import AtOnce
from maruhub.namespace import Namespace


class Unready(Exception):
    """An answer would have to wait for a drive, where nothing may wait: ask again in a thread."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks; without a name nobody signed.

    Attributes:
        user: The user's name.
        access_key: The key that signed.
        admin: Whether the key may do everything.
        key_policy: The key's own policy, as text: with one, the key may do what it says and nothing else.
        user_policy: The user's policy, as text.
    """

    user: str = ""
    access_key: str = ""
    admin: bool = False
    key_policy: str | None = None
    user_policy: str | None = None

    @property
    def anonymous(self) -> bool:
        """Whether nobody signed."""
        return not self.access_key


@dataclass(slots=True)
class Request:
    """All that an operation needs to know; not to be changed.

    Attributes:
        asked: Operation, bucket, key, parameters, headers.
        head: As it came.
        caller: Who asks.
        names: The hub's names, in the caller's name.
        now_us: Wall time, microseconds since 1970.
        id: Told to the client and the log.
        body: Of an operation that takes a document; empty for others.
        at_once: Gives an extent's bytes if they are in memory, else None; then only such are
            read, and others raise :class:`Unready`. None: a read may wait.
    """

    asked: Asked
    head: Head
    caller: Caller
    names: Namespace
    now_us: int
    id: str
    body: bytes = field(default=b"", repr=False)
    at_once: AtOnce | None = field(default=None, repr=False)

    @property
    def bucket(self) -> str:
        """The bucket's name."""
        return self.asked.bucket

    @property
    def key(self) -> str:
        """The object's key."""
        return self.asked.key

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers by name, with those that a presigned address carries."""
        return self.asked.headers

    @property
    def retry_id(self) -> bytes:
        """What is the same in every try of one call of a client's library; empty if it says nothing.

        AWS's SDKs send it, so a conditional write whose answer was lost can be told from another's.
        """
        given = self.asked.headers.get("amz-sdk-invocation-id", "")
        return f"s3 {self.caller.access_key} {given[:64]}".encode() if given else b""
