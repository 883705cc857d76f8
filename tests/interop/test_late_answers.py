"""An answer that is long in coming: clients give up one of which nothing comes for a minute."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

from tests.s3_wire import Told, Wire
from tests.serving import wait_until, working

PARTS = [os.urandom(5 << 20), b"the rest"]


def test_white_space_comes_before_what_takes_long(tmp_path: Path):
    with (
        working(tmp_path, quiet_s=1e-6, access_log=str(tmp_path / "access")) as server,
        Wire(server, server.key("ann", admin=True)) as wire,
    ):
        upload = begin(wire)
        tags = [
            wire.ask("PUT", "/box/large", f"partNumber={number}&{upload}", body=part).headers["etag"]
            for number, part in enumerate(PARTS, 1)
        ]
        assert "<Code>InvalidPart</Code>" in late(
            wire.ask("POST", "/box/large", upload, body=listed(*tags[:1] * 2))
        )
        assert "<CompleteMultipartUploadResult" in late(
            wire.ask("POST", "/box/large", upload, body=listed(*tags))
        )
        assert wire.ask("GET", "/box/large").body == b"".join(PARTS)
        source = {"x-amz-copy-source": "/box/large"}
        assert "<CopyObjectResult" in late(wire.ask("PUT", "/box/copy", headers=source))
        assert wire.ask("GET", "/box/copy").body == b"".join(PARTS)
        # The log has what the document says.
        wait_until(lambda: statuses(tmp_path / "access") == [400, 200])


def statuses(log: Path) -> list[int]:
    told = [json.loads(line) for line in log.read_text().splitlines()]
    return [each["status"] for each in told if each["operation"] == "CompleteMultipartUpload"]


def begin(wire: Wire) -> str:
    """Makes the bucket and begins an upload; the query that names it."""
    assert wire.ask("PUT", "/box").status == 200
    begun = re.search(rb"<UploadId>(.*)</UploadId>", wire.ask("POST", "/box/large", "uploads=").body)
    assert begun is not None
    return f"uploadId={begun[1].decode()}"


def listed(*tags: str) -> bytes:
    parts = "".join(
        f"<Part><PartNumber>{number}</PartNumber><ETag>{tag}</ETag></Part>"
        for number, tag in enumerate(tags, 1)
    )
    return f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()


def late(told: Told) -> str:
    """The document that came behind white space."""
    assert told.status == 200, "it is on the wire before the answer is known"
    document = re.fullmatch(r"<\?xml [^>]*\?>\n +(<.*>)", told.body.decode(), re.DOTALL)
    assert document is not None, told.body[:200]
    return document[1]
