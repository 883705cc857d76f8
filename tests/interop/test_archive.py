"""A tar archive of many objects in one request, as a client of HTTP receives it."""

from __future__ import annotations

import io
import json
import random
import tarfile
from pathlib import Path

import pytest

import maruhub
from tests.interop.test_restart import _certificate
from tests.s3_wire import Wire
from tests.serving import serving

SIZES = [3 << 20, 0, 1, 511, 512, 513, 50_000, 1 << 20, (1 << 20) + 1, 20 << 20]


@pytest.mark.parametrize("tls", [False, True], ids=["straight", "by the server"])
def test_an_archive_holds_every_object_whole(tmp_path: Path, tls: bool) -> None:
    chance = random.Random(1)
    objects = {f"folder/k{i}": chance.randbytes(size) for i, size in enumerate(SIZES * 2)}
    with maruhub.create(tmp_path / "hub", blades=1) as hub:
        hub.bucket("things").put_many(objects)
    options = _certificate(tmp_path) if tls else ()
    with serving(tmp_path, "--workers", "1", "--no-care", *options, hub=tmp_path / "hub") as server:
        asked = {"format": 1, "objects": [{"bucket": "things", "keys": [*objects, "none"]}]}
        with Wire(server, server.key("ann", admin=True)) as wire:
            answer = wire.ask(
                "POST",
                "/-/batch/v1/read",
                body=json.dumps(asked).encode(),
                headers={"accept": "application/x-tar"},
            )
    assert answer.status == 200
    with tarfile.open(fileobj=io.BytesIO(answer.body)) as archive:
        *members, failed = archive
        found = {member.name: archive.extractfile(member) for member in members}
        assert [member.name for member in members] == list(objects)
        assert {name: file and file.read() for name, file in found.items()} == objects
        assert failed.name == ".maruhub-failed.jsonl"
