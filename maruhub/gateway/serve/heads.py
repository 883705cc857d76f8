"""What a head must be before anything is read out of it."""

from __future__ import annotations

import itertools
from typing import Any

from maruhub.gateway.head import Head
from maruhub.gateway.s3.failure import S3Failure


def check_head(head: Head, sent: Any, bytes_max: int) -> None:
    """Nothing, for a head that has come whole and is of a usual size.

    The server's runtime leaves out values that aren't ASCII. A header that is left out would be one
    that was never sent: what it asks for must not vanish without a word.

    Args:
        head: As the runtime gives it.
        sent: The runtime's own headers: their number is that of all names, each once.
        bytes_max: Of all names and values.

    Raises:
        S3Failure: ``RequestHeaderSectionTooLarge``, ``BadRequest`` for none or several hosts, or
            ``InvalidArgument``, which names the header.
    """
    if sum(map(len, itertools.chain.from_iterable(head.headers))) > bytes_max:
        raise S3Failure("RequestHeaderSectionTooLarge")
    host = head.by_name.get("host")
    if (host is None and head.version == "1.1") or (host is not None and "," in host):
        # RFC 9112, 3.2: whoever stands between might take another one of them.
        raise S3Failure("BadRequest", "A request of HTTP/1.1 has one header Host.")
    if len(sent) != len(head.by_name):
        lost = min(set(sent.keys()).difference(head.by_name))
        raise S3Failure(
            "InvalidArgument",
            f"The value of the header {lost[:128]} is not ASCII. Encode it as RFC 2047 says: =?UTF-8?B?...?=",
            ArgumentName=lost[:128],
        )
