"""A request's query, taken apart once for all who read it: the route, signatures, headers in links.

All of a link but its path and its signature stands in thousands of links alike. So a query is read
without its signature, and what was read is kept for the next one.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Final
from urllib.parse import parse_qsl

from maruhub.gateway.s3.failure import S3Failure
from maruhub.gateway.s3.operation import Operation
from maruhub.gateway.s3.request_headers import is_hoisted
from maruhub.gateway.s3.signatures.claim import SIGNATURE, Claim, read_claim
from maruhub.wire.recall import recalled
from maruhub.wire.signing import canonical_query

_PARAMETERS_MAX: Final = 256
_KEPT_CHARACTERS: Final = 1024

SUBRESOURCES: Final = frozenset(o.chosen_by.partition("&")[0] for o in Operation) - {
    "",
    "list-type",
    "max-directory-buckets",
    "x-amz-copy-source",
}
_PARAMETERS_WORDS: Final = """
annotation-prefix annotationName bucket-region continuation-token delimiter encoding-type fetch-owner
id key-marker list-type marker max-annotation-results max-buckets max-directory-buckets max-keys
max-parts max-uploads part-number-marker partNumber prefix response-cache-control
response-content-disposition response-content-encoding response-content-language
response-content-type response-expires select-type start-after upload-id-marker version-id-marker
versionId
"""
_PARAMETERS: Final = frozenset(_PARAMETERS_WORDS.split())
# The older signature's, in the query; whoever checks signatures answers for them.
_ELSEWHERE: Final = frozenset({"AWSAccessKeyId", "Signature", "Expires"})


class Query:
    """A query without its signature; not to be changed.

    Attributes:
        pairs: Decoded names and values, in their order.

    Raises:
        S3Failure: ``InvalidURI`` for what is not UTF-8, or too many parameters.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        pieces = text.split("&")
        if len(pieces) > _PARAMETERS_MAX:
            raise S3Failure("InvalidURI", f"The query must have at most {_PARAMETERS_MAX} parameters.")
        try:
            self.pairs = [_pair(piece) for piece in pieces if piece]
        except ValueError:
            raise S3Failure("InvalidURI", "The query must be UTF-8.") from None

    @cached_property
    def parameters(self) -> Mapping[str, str]:
        """The query by name, without what S3 passes over too.

        That is: names that begin with ``x-`` (S3 leaves them to its users' logs), and unknown ones that
        have a value. An unknown one without a value looks like a sub-resource that we haven't heard of.

        Raises:
            S3Failure: ``NotImplemented`` for such a one, ``InvalidArgument`` for two different values.
        """
        parameters: dict[str, str] = {}
        for name, value in self.pairs:
            if name not in _PARAMETERS and name not in SUBRESOURCES:
                if not value and not name.lower().startswith("x-") and name not in _ELSEWHERE:
                    text = f"The sub-resource {name[:64]!r} is not known here."
                    raise S3Failure("NotImplemented", text, ResourceType=name)
            elif parameters.setdefault(name, value) != value:
                text = f"The parameter {name} is given twice with different values."
                raise S3Failure("InvalidArgument", text, ArgumentName=name, ArgumentValue=value)
        return parameters

    @cached_property
    def hoisted(self) -> list[tuple[str, str]]:
        """Headers that it carries in the place of the request's: names in lower case, and values."""
        return [(name.lower(), value) for name, value in self.pairs if is_hoisted(name.lower())]

    @cached_property
    def canonical(self) -> str:
        """As it is signed."""
        return canonical_query(self._text, without=SIGNATURE)

    @cached_property
    def is_presigned(self) -> bool:
        """Whether it claims, however badly, to be a link's of Signature Version 4."""
        named = {name for name, _ in self.pairs}
        return not named.isdisjoint(("X-Amz-Algorithm", "X-Amz-Credential", SIGNATURE))

    @cached_property
    def claim(self) -> Claim:
        """What it says as a link. Raises S3Failure as :func:`read_claim`."""
        return read_claim(self.pairs)


_kept = recalled(Query, longest=_KEPT_CHARACTERS)


def read_query(text: str) -> tuple[Query, str | None]:
    """A query, and the signature of its link; None where none stands in it as everybody writes it.

    Raises:
        S3Failure: As :class:`Query`.
    """
    return _read(text)


def _taken_apart(text: str) -> tuple[Query, str | None]:
    before, found, behind = text.partition(f"{SIGNATURE}=")
    if not found or (before and before[-1] != "&"):
        return _kept(text), None
    signature, _, after = behind.partition("&")
    return _kept(before + after), signature


# Route and signature read the same query: it is taken apart for the first of them.
_read = recalled(_taken_apart, longest=_KEPT_CHARACTERS, most=16)


def _pair(piece: str) -> tuple[str, str]:
    """Name and value of one parameter. Raises ValueError for what is not UTF-8."""
    ((name, value),) = parse_qsl(piece, keep_blank_values=True, errors="strict")
    # Halves of surrogate pairs can't be encoded either.
    name.encode(), value.encode()
    return name, value
