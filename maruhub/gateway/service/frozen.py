"""The bucket ``dataset``: committed versions of datasets, to be read as objects are.

Its keys are ``NAME/VERSION/BUCKET/KEY``: a version that an S3-only tool reads is exact, whatever
becomes of the keys since. Nothing here can be changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Final

from maruhub.api.frozen import FrozenBucket, FrozenObject, frozen_bucket, version_folders
from maruhub.errors import NotFound
from maruhub.gateway.answer import Answer
from maruhub.gateway.need import Need
from maruhub.gateway.s3 import listing
from maruhub.gateway.s3.byte_range import content_range
from maruhub.gateway.s3.conditions import Verdict, read_conditions, to_http_date
from maruhub.gateway.s3.documents import listings, settings
from maruhub.gateway.s3.documents.listings import ListedObject
from maruhub.gateway.s3.failure import S3Failure
from maruhub.gateway.s3.operation import Operation
from maruhub.gateway.s3.properties import DEFAULT_TYPE, response_overrides
from maruhub.gateway.s3.span import span_asked
from maruhub.gateway.service.authority import Authority
from maruhub.gateway.service.listings import xml
from maruhub.gateway.service.reads import check_version_id, may_know
from maruhub.gateway.service.request import Request, Unready
from maruhub.namespace.address import DatasetAddress
from maruhub.namespace.deleting import NULL

if TYPE_CHECKING:
    from maruhub.api import Hub

BUCKET: Final = "dataset"


class FrozenDoor:
    """Answers for the bucket ``dataset``.

    Args:
        hub: Whose datasets.
    """

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._table: dict[Operation, Callable[[Request, Authority], Answer]] = {
            Operation.GET_OBJECT: self._get,
            Operation.HEAD_OBJECT: self._head,
            Operation.LIST_OBJECTS: self._list_v1,
            Operation.LIST_OBJECTS_V2: self._list_v2,
            Operation.HEAD_BUCKET: lambda _r, _a: Answer(200, [("x-amz-bucket-region", "us-east-1")]),
            Operation.GET_BUCKET_LOCATION: lambda _r, _a: xml(settings.location("us-east-1")),
            Operation.GET_BUCKET_VERSIONING: lambda _r, _a: xml(settings.versioning(None)),
        }

    def answer(self, request: Request, authority: Authority) -> Answer:
        """What reading asks for. Raises: S3Failure: ``AccessDenied`` for whatever would change something."""
        operation = request.asked.operation
        if operation not in self._table:
            raise S3Failure(
                "AccessDenied", "The bucket 'dataset' shows versions of datasets: it can only be read."
            )
        try:
            return self._table[operation](request, authority)
        except NotFound as missing:
            may_know(authority, BUCKET)
            raise S3Failure("NoSuchKey", missing.what, Key=request.key) from None

    # ------------------------------------------------------------ objects

    def _get(self, request: Request, authority: Authority) -> Answer:
        return self._read(request, authority, with_body=True)

    def _head(self, request: Request, authority: Authority) -> Answer:
        return self._read(request, authority, with_body=False)

    def _read(self, request: Request, authority: Authority, *, with_body: bool) -> Answer:
        overrides = response_overrides(request.asked, anonymous=request.caller.anonymous)
        bucket, found = self._found(request, authority)
        etag, modified_us = found.sha256.hex(), found.created_us or 0
        headers = [("etag", f'"{etag}"'), ("last-modified", to_http_date(modified_us))]
        verdict = read_conditions(request.asked.headers).of_read(etag, modified_us)
        if verdict is Verdict.NOT_MODIFIED:
            return Answer(304, headers)
        if verdict is Verdict.FAILED:
            raise S3Failure("PreconditionFailed")
        span = span_asked(request.asked, found.size, etag=etag, modified_us=modified_us)
        offset, length = (0, found.size) if span is None else span
        headers += [
            *({"content-type": found.content_type or DEFAULT_TYPE} | overrides).items(),
            ("accept-ranges", "bytes"),
            ("content-length", str(length)),
            ("x-amz-meta-sha256", etag),
        ]
        if span is not None:
            headers.append(("content-range", content_range(offset, length, found.size)))
        if not with_body or not length:
            return Answer(200 if span is None else 206, headers)
        body = (bytes(piece) for piece in bucket.pieces(found, offset=offset, length=length))
        return Answer(200 if span is None else 206, headers, body)

    def _found(self, request: Request, authority: Authority) -> tuple[FrozenBucket, FrozenObject]:
        """The version and the sample that a key names. Raises S3Failure, NotFound, Unready."""
        wanted = request.asked.version_id
        name, version, path = (*request.key.split("/", 2), "", "")[:3]
        if not path:
            raise NotFound("a sample's key is NAME/VERSION/BUCKET/KEY.")
        if wanted is not None and wanted != NULL:
            check_version_id(wanted)
            may_know(authority, BUCKET)
            raise S3Failure("NoSuchVersion", Key=request.key, VersionId=wanted)
        # To open a version and to look for an id in it reads drives.
        if request.at_once is not None:
            raise Unready
        bucket = self._version(name, version)
        # A tag, or latest, is another name of what may be denied by its own.
        if authority.denies(Need("s3:GetObject", BUCKET, f"{name}/{bucket.version.version_name}/{path}")):
            raise S3Failure("AccessDenied")
        return bucket, bucket.stat(path)

    def _version(self, name: str, version: str) -> FrozenBucket:
        return frozen_bucket(self._hub, DatasetAddress(name, version))

    # ------------------------------------------------------------ listings

    def _list_v1(self, request: Request, _authority: Authority) -> Answer:
        page = listing.objects_v1_page(request.asked)
        objects, prefixes, more = self._page(page)
        return xml(listings.objects_v1(BUCKET, page, objects, prefixes, more=more))

    def _list_v2(self, request: Request, _authority: Authority) -> Answer:
        page = listing.objects_page(request.asked)
        objects, prefixes, more = self._page(page)
        names = [o.key for o in objects[-1:]] + prefixes[-1:]
        token = listing.make_token(max(names, key=str.encode), BUCKET) if more and names else ""
        return xml(listings.objects_v2(BUCKET, page, objects, prefixes, next_token=token))

    def _page(self, page: listing.ObjectsPage) -> tuple[list[ListedObject], list[str], bool]:
        """Entries behind ``page.after``; with the delimiter ``/`` folders are rolled up."""
        if page.limit == 0:
            return [], [], False
        if page.delimiter not in ("", "/"):
            raise S3Failure(
                "NotImplemented", "The bucket 'dataset' is listed with the delimiter / or without one."
            )
        after = page.after.encode()
        rest = (entry for entry in self._entries(page) if _name(entry).encode() > after)
        if page.delimiter:
            rest = (e for e in rest if not (isinstance(e, str) and page.after.startswith(e)))
        shown = list(islice(rest, page.limit + 1))
        more = len(shown) > page.limit
        objects = [
            ListedObject(key, item.sha256.hex(), item.size, item.created_us or 0)
            for key, item in (e for e in shown[: page.limit] if isinstance(e, tuple))
        ]
        return objects, [e for e in shown[: page.limit] if isinstance(e, str)], more

    def _entries(self, page: listing.ObjectsPage) -> Iterator[tuple[str, FrozenObject] | str]:
        """Names in their order, folders above the versions being walked one by one."""
        parts = page.prefix.split("/", 2)
        if page.delimiter and len(parts) < 3:
            depth = len(parts)
            yield from dict.fromkeys("/".join(f.split("/")[:depth]) + "/" for f in self._folders(parts))
            return
        for folder in self._folders(parts):
            name, version = folder.rstrip("/").split("/")
            inner = parts[2] if len(parts) == 3 else ""
            try:
                bucket = self._version(name, version)
            except NotFound:
                continue  # below a prefix where nothing is there is nothing
            items = bucket.folders(inner) if page.delimiter else bucket.list(inner)
            for item in items:
                yield f"{folder}{item}" if isinstance(item, str) else (f"{folder}{item.key}", item)

    def _folders(self, parts: list[str]) -> list[str]:
        """``NAME/VERSION/`` of all versions that a prefix may lead to, in the order of their bytes."""
        if len(parts) == 3:
            return [f"{parts[0]}/{parts[1]}/"]
        names = [name.rstrip("/") for name in version_folders(self._hub)]
        wanted = [n for n in names if (n == parts[0] if len(parts) == 2 else n.startswith(parts[0]))]
        below = [folder for name in wanted for folder in version_folders(self._hub, name)]
        begins = f"{parts[0]}/{parts[1]}" if len(parts) == 2 else parts[0]
        return sorted((f for f in below if f.startswith(begins)), key=str.encode)


def _name(entry: tuple[str, FrozenObject] | str) -> str:
    return entry if isinstance(entry, str) else entry[0]
