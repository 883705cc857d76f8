"""Every operation, asked for by everyone: what must be refused is, and changes nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from maruhub import Hub, connect
from maruhub.gateway.s3.operation import Operation, Support
from maruhub.index.protocol import AFTER_ALL
from tests.interop.rights_table import Stage, ask_for, check_right, set_stage
from tests.s3_wire import Ask, Told, Wire, presigned
from tests.serving import Key, Server, maru, serving

State = list[tuple[bytes, bytes]]
READS = '{"Statement":{"Effect":"Allow","Action":["s3:Get*","s3:List*"],"Resource":"*"}}'
OPERATIONS = pytest.mark.parametrize("operation", Operation, ids=lambda operation: operation.api_name)


class Cast:
    """The server, who comes to it, and the stage that nobody but the owner may touch.

    One worker, so that the limits on guessing count all requests in one place.
    """

    def __init__(self, server: Server, hub: Hub, reads: Path) -> None:
        self.server = server
        self._hub = hub
        self.owner = server.key("owner")
        self.stranger = server.key("stranger")
        self.reader = server.key("reader")
        maru(server.hub, "user", "policy", "reader", str(reads))
        with Wire(server, self.owner) as wire:
            self.stage = set_stage(wire, "guarded")

    def asks(self, key: Key | None, ask: Ask) -> Told:
        with Wire(self.server, key) as wire:
            return wire.send(ask)

    def rows(self) -> State:
        """Everything that the hub knows, as its index holds it."""
        return self._hub.store._index.scan(b"", AFTER_ALL, 100_000)


@pytest.fixture(scope="module")
def cast(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cast]:
    folder = tmp_path_factory.mktemp("rights")
    (folder / "reads.json").write_text(READS)
    with serving(folder, "--workers", "1", "--no-care", blades=1) as server, connect(server.hub) as hub:
        yield Cast(server, hub, folder / "reads.json")


def check_refused(cast: Cast, operation: Operation, told: Told, before: State, code: str) -> None:
    assert cast.rows() == before
    if operation is Operation.POST_OBJECT and code == "AccessDenied":
        # Nobody's, however the request around the form is signed.
        assert told.code == "AccessDenied"
        return
    if operation.support is Support.REFUSED:
        assert (told.status, told.code) == (501, "NotImplemented")
    elif operation is Operation.HEAD_BUCKET or operation is Operation.HEAD_OBJECT:
        assert told.status == 403
    else:
        assert (told.status, told.code) == (403, code)


def check_stranger(cast: Cast, operation: Operation, told: Told, before: State) -> None:
    """Who has a key may ask a few things, and gets nothing of others' by it."""
    if operation is Operation.LIST_BUCKETS:
        assert told.status == 200
        assert b"guarded" not in told.body
    elif operation is Operation.CREATE_BUCKET:
        assert (told.status, told.code) == (409, "BucketAlreadyExists")
    elif operation is Operation.DELETE_OBJECTS:
        assert told.status == 200
        assert told.body.count(b"<Code>AccessDenied</Code>") == 1
        assert b"<Deleted>" not in told.body
    elif operation is Operation.PREFLIGHT:
        assert told.status == 200
    else:
        check_refused(cast, operation, told, before, "AccessDenied")
        return
    assert cast.rows() == before


@OPERATIONS
def test_nobody(cast: Cast, operation: Operation):
    before = cast.rows()
    told = cast.asks(None, ask_for(operation, cast.stage))
    if operation in (Operation.DELETE_OBJECTS, Operation.PREFLIGHT):
        check_stranger(cast, operation, told, before)
    else:
        check_refused(cast, operation, told, before, "AccessDenied")


@OPERATIONS
def test_a_wrong_secret(cast: Cast, operation: Operation):
    before = cast.rows()
    told = cast.asks(replace(cast.owner, secret_key="x" * 40), ask_for(operation, cast.stage))
    check_refused(cast, operation, told, before, "SignatureDoesNotMatch")
    assert cast.asks(cast.owner, Ask("GET", "/")).status == 200, "the owner is locked out"


@OPERATIONS
def test_an_expired_link(cast: Cast, operation: Operation):
    before = cast.rows()
    ask = presigned(
        ask_for(operation, cast.stage), cast.owner, f"127.0.0.1:{cast.server.port}", now=time.time() - 61
    )
    check_refused(cast, operation, cast.asks(None, ask), before, "AccessDenied")


@OPERATIONS
def test_another_user(cast: Cast, operation: Operation):
    before = cast.rows()
    check_stranger(cast, operation, cast.asks(cast.stranger, ask_for(operation, cast.stage)), before)


@OPERATIONS
def test_who_may_only_read(cast: Cast, operation: Operation):
    before = cast.rows()
    told = cast.asks(cast.reader, ask_for(operation, cast.stage))
    if operation.action.startswith(("s3:Get", "s3:List")) and operation.support is not Support.REFUSED:
        check_right(operation, told)
        assert cast.rows() == before
    else:
        check_stranger(cast, operation, told, before)


@OPERATIONS
def test_the_owner(cast: Cast, operation: Operation):
    with Wire(cast.server, cast.owner) as owner:
        stage = set_stage(owner, f"own-{operation.api_name.lower()}"[:63])
        check_right(operation, owner.send(ask_for(operation, stage)))


@OPERATIONS
def test_the_owners_link(cast: Cast, operation: Operation):
    with Wire(cast.server, cast.owner) as owner:
        stage = set_stage(owner, f"link-{operation.api_name.lower()}"[:63])
        ask = presigned(ask_for(operation, stage), cast.owner, owner.host, now=time.time())
    check_right(operation, cast.asks(None, ask))


def test_an_admin(cast: Cast):
    """May everything, whoever owns the bucket."""
    admin = cast.server.key("chief", admin=True)
    with Wire(cast.server, cast.owner) as owner, Wire(cast.server, admin) as wire:
        for operation in Operation:
            stage = set_stage(owner, f"any-{operation.api_name.lower()}"[:63])
            check_right(operation, wire.send(ask_for(operation, stage)))


def test_the_dataset_bucket_is_closed_to_writers(cast: Cast):
    admin, stage = cast.server.key("chief", admin=True), Stage("dataset", "nothing")
    before = cast.rows()
    for operation in Operation:
        told = cast.asks(admin, ask_for(operation, stage))
        reads = operation.action.startswith(("s3:Get", "s3:List")) or not operation.action
        assert told.status < 500 or (told.status, told.code) == (501, "NotImplemented"), operation
        assert reads or told.status in (400, 403, 404, 409, 501) or b"<Error>" in told.body, operation
        assert cast.rows() == before, operation
