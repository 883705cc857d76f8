"""Which operation a request asks for, on which bucket and key.

Pure: a head in, a value out. The key is what the decoded path says, byte for byte: ``//``, ``..``
and a ``/`` at the end are parts of names like others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from maruhub.gateway.head import Head
from maruhub.gateway.s3.failure import S3Failure
from maruhub.gateway.s3.operation import FORM, PREFLIGHT, REFUSED, Operation, Place
from maruhub.gateway.s3.request_headers import refuse_misplaced, refuse_unknown, with_hoisted
from maruhub.gateway.s3.signatures.query import SUBRESOURCES, read_query
from maruhub.wire.recall import recalled

KEY_BYTES_MAX = 1024

_SERVICE, _BUCKET, _OBJECT = Place
_BY_CHOICE = {(o.method, o.place, o.chosen_by): o for o in Operation}
# What makes a difference beside a sub-resource, or without one.
_COPY = "x-amz-copy-source"
_BESIDE = (_COPY, "id", "annotationName", "list-type", "max-directory-buckets")

_TAKES_VERSION = frozenset(
    {
        Operation.GET_OBJECT,
        Operation.HEAD_OBJECT,
        Operation.DELETE_OBJECT,
        Operation.GET_OBJECT_ATTRIBUTES,
        Operation.GET_OBJECT_TAGGING,
        Operation.PUT_OBJECT_TAGGING,
        Operation.DELETE_OBJECT_TAGGING,
        Operation.GET_OBJECT_ACL,
        Operation.PUT_OBJECT_ACL,
        Operation.GET_OBJECT_RETENTION,
        Operation.PUT_OBJECT_RETENTION,
        Operation.GET_OBJECT_LEGAL_HOLD,
        Operation.PUT_OBJECT_LEGAL_HOLD,
    }
)


@dataclass(slots=True)
class Asked:
    """What a request asks; not to be changed.

    Attributes:
        operation: The operation, one that we do or answer in a fixed way.
        bucket: Empty where the service itself is asked. Not yet checked against the rule for names.
        key: Empty where a bucket is asked; at most 1,024 bytes of UTF-8.
        parameters: The decoded query, without what is the signature's.
        headers: By lower-case name, with those that a presigned address carries in its query.
        virtual_host: Whether the bucket was named by the host.
    """

    operation: Operation
    bucket: str
    key: str
    parameters: Mapping[str, str]
    headers: Mapping[str, str]
    virtual_host: bool = False

    @property
    def version_id(self) -> str | None:
        """The version asked for, ``null`` being one of S3's; None if none was."""
        return self.parameters.get("versionId")


def route(head: Head, *, hosts: Iterable[str] = ()) -> Asked:
    """What a request asks.

    Args:
        head: Of the request.
        hosts: Base names. A bucket may be a label before one of them (``photos.s3.lab``); any other
            host, and these themselves, take the bucket from the path.

    Raises:
        S3Failure: ``NotImplemented`` for what S3 has and we don't, ``MethodNotAllowed`` for what is
            nowhere, ``InvalidArgument``, ``InvalidURI`` or ``KeyTooLongError`` for what can't be read.
    """
    bucket, key, virtual = _address(head, hosts)
    query, _ = read_query(head.query)
    headers = with_hoisted(head.by_name, query.hoisted)
    parameters = query.parameters
    place = _OBJECT if key else _BUCKET if bucket else _SERVICE
    operation = _operation(head, place, parameters, headers)
    if operation.support is REFUSED:
        raise S3Failure("NotImplemented", f"{operation.api_name} is not implemented.")
    if parameters:
        _check(operation, parameters)
    if operation is not PREFLIGHT:
        refuse_unknown(headers)
        refuse_misplaced(operation, headers)
    return Asked(operation, bucket, key, parameters, headers, virtual)


def _address(head: Head, hosts: Iterable[str]) -> tuple[str, str, bool]:
    if not head.path.startswith("/") or not _is_utf8(head.path):
        raise S3Failure("InvalidURI", "The path must begin with / and be UTF-8.")
    label = bucket_of_host(head, hosts)
    if label:
        bucket, key = label, head.path[1:]
    else:
        bucket, _, key = head.path[1:].partition("/")
    if not bucket and key:
        raise S3Failure("InvalidURI", "The path names a key and no bucket.")
    size_bytes = len(key) if key.isascii() else len(key.encode())
    if size_bytes > KEY_BYTES_MAX:
        raise S3Failure("KeyTooLongError", Size=str(size_bytes), MaxSizeAllowed=str(KEY_BYTES_MAX))
    return bucket, key, bool(label)


def bucket_of_host(head: Head, hosts: Iterable[str]) -> str:
    """The bucket that the host names; empty where the path does. ``hosts`` as :func:`route`."""
    return _label(_host_name(head.by_name.get("host", "")), hosts) if hosts else ""


def _label(name: str, hosts: Iterable[str]) -> str:
    """What stands before one of the base names; empty for one of them, and for another host."""
    for base in sorted(hosts, key=len, reverse=True):
        if name == base.lower():
            break
        if name.endswith("." + base.lower()):
            return name[: -len(base) - 1]
    return ""


@recalled
def _host_name(host: str) -> str:
    """A host without port and the dot of the root, in lower case."""
    name, _, port = host.rpartition(":")
    if not name or not port.isdigit() or (":" in name and not name.endswith("]")):
        name = host
    return name.rstrip(".").lower()


def _is_utf8(text: str) -> bool:
    """Whether no byte stands in the text as a half of a surrogate pair."""
    try:
        text.isascii() or text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _operation(
    head: Head, place: Place, parameters: Mapping[str, str], headers: Mapping[str, str]
) -> Operation:
    if head.method == "OPTIONS":
        return PREFLIGHT
    if not parameters and _COPY not in headers:
        # Nothing makes a difference but the address.
        return _of(head.method, place, "", headers)
    chosen = [name for name in parameters if name in SUBRESOURCES]
    if len(chosen) > 1:
        raise S3Failure(
            "InvalidArgument",
            f"Conflicting query string parameters: {', '.join(sorted(chosen))}",
            ArgumentName="ResourceType",
            ArgumentValue=chosen[0],
        )
    sub = chosen[0] if chosen else ""
    for extra in _BESIDE:
        if extra in (headers if extra == _COPY else parameters):
            refined = _BY_CHOICE.get((head.method, place, f"{sub}&{extra}" if sub else extra))
            if refined is not None:
                return refined
    return _of(head.method, place, sub, headers)


def _of(method: str, place: Place, sub: str, headers: Mapping[str, str]) -> Operation:
    found = _BY_CHOICE.get((method, place, sub))
    if found is None:
        raise _not_found(method, place, sub)
    if found is FORM:
        _check_form(headers)
    return found


def _not_found(method: str, place: Place, sub: str) -> S3Failure:
    elsewhere = not any(o.place is place and o.chosen_by.partition("&")[0] == sub for o in Operation)
    if sub and elsewhere:
        return S3Failure(
            "NotImplemented",
            f"The sub-resource {sub} means nothing for this {place.value}.",
            ResourceType=sub,
        )
    return S3Failure("MethodNotAllowed", Method=method[:32], ResourceType=(sub or place.value).upper())


def _check_form(headers: Mapping[str, str]) -> None:
    if not headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise S3Failure(
            "PreconditionFailed", Condition="Bucket POST must be of the enclosure-type multipart/form-data"
        )


def _check(operation: Operation, parameters: Mapping[str, str]) -> None:
    """Parameters that choose, or contradict what was chosen."""
    wrong = None
    if operation in (Operation.UPLOAD_PART, Operation.UPLOAD_PART_COPY):
        if "partNumber" not in parameters:
            wrong = "uploadId", "This operation does not accept an uploadId without a partNumber."
    elif operation in (Operation.PUT_OBJECT, Operation.COPY_OBJECT) and "partNumber" in parameters:
        wrong = "partNumber", "This operation does not accept a partNumber without an uploadId."
    if operation is Operation.LIST_OBJECTS_V2 and parameters["list-type"] != "2":
        wrong = "list-type", "The list-type must be 2."
    if "uploadId" in parameters and not parameters["uploadId"]:
        wrong = "uploadId", "The upload id cannot be the empty string."
    if "versionId" in parameters:
        if operation not in _TAKES_VERSION and operation is not Operation.PREFLIGHT:
            wrong = "versionId", "This operation does not accept a version-id."
        elif not parameters["versionId"]:
            wrong = "versionId", "Version id cannot be the empty string."
    if wrong is not None:
        name, message = wrong
        raise S3Failure("InvalidArgument", message, ArgumentName=name, ArgumentValue=parameters.get(name, ""))
