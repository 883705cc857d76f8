"""One request and its answer, on the wire.

Everything here runs in the event loop and only there. What is decided here is cheap: which door
is meant, whether the signature is right, what to do with the body. The rest runs in threads, but
for reads of what is in memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import logging
import random
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from maruhub.errors import MaruError
from maruhub.gateway.answer import Answer
from maruhub.gateway.head import Head
from maruhub.gateway.s3 import answers
from maruhub.gateway.s3.failure import S3Failure
from maruhub.gateway.s3.operation import READS, Operation
from maruhub.gateway.s3.route import Asked, route
from maruhub.gateway.serve.body import Body
from maruhub.gateway.serve.delivery import CLOSE, HOST_ID, Delivery
from maruhub.gateway.serve.desk import Desk
from maruhub.gateway.serve.gate import Passed
from maruhub.gateway.serve.heads import check_head
from maruhub.gateway.service.authority import Rights
from maruhub.gateway.service.form import FormSink
from maruhub.gateway.service.request import Caller, Request, Unready
from maruhub.gateway.service.service import SINKS, Service
from maruhub.gateway.service.sinks import SMALL_BYTES, Sink
from maruhub.gateway.service.translation import failure_of
from maruhub.namespace import Namespace

_log = logging.getLogger(__name__)

_DOCUMENT_BYTES: Final = 8 << 20
_BATCH_BYTES: Final = 64 << 20
_RETRY: Final = ("retry-after", "1")
_OWN: Final = "/-/"


class Exchange:
    """One request and its answer; used by one task."""

    def __init__(self, desk: Desk, scope: Any, protocol: Any) -> None:
        self._desk = desk
        self._started_s = time.perf_counter()
        sent = scope.headers
        self._head = head = Head(
            scope.method,
            scope.path,
            scope.query_string,
            tuple(sent.items()),
            scope.scheme,
            scope.client,
            scope.http_version,
        )
        self._names = sent.keys()
        # It need not be unguessable: it names this request in answers and logs.
        self._id = f"{random.getrandbits(64):016X}"
        self._body = Body(head, protocol, desk.options.idle_s, desk.uploads.locked)
        self._delivery = Delivery(desk, protocol, head, self._id)
        self._name = "unknown"
        self._user = ""
        self._cors: list[tuple[str, str]] = []

    async def run(self) -> None:
        """Answers, whatever happens."""
        try:
            await self._delivery.send(await self._answer(), self._cors)
        except (asyncio.CancelledError, ConnectionError):
            raise
        except Exception:
            _log.exception("request %s broke off", self._id)
            raise
        finally:
            self._count()

    async def _answer(self) -> Answer:
        """What to answer; whatever goes wrong is an answer too."""
        try:
            return await self._decide()
        except S3Failure as failure:
            return await self._failed(failure)
        except MaruError as error:
            return await self._failed(failure_of(error))
        except asyncio.CancelledError:
            raise
        except Exception:  # noqa: BLE001 - see below
            # A bug of ours: the client gets S3's word for it, the log the rest.
            _log.exception("request %s: %s %s", self._id, self._head.method, self._head.path)
            return await self._failed(S3Failure("InternalError"))

    async def _decide(self) -> Answer:
        head, desk = self._head, self._desk
        check_head(head, self._names, desk.options.header_bytes)
        if head.path.startswith(_OWN) or (head.path == "/metrics" and not head.query):
            own = await self._own(head)
            if own is not None:
                return own
        asked = route(head, hosts=desk.options.base_hosts)
        operation = asked.operation
        self._name = operation.api_name
        now_us = time.time_ns() // 1000
        virtual = asked.bucket if asked.virtual_host else ""
        passed = desk.gate.passed(head, now_s=now_us / 1e6, virtual_bucket=virtual)
        self._user = passed.caller.access_key
        at_once = desk.hub.store.read_at_once if operation in READS else None
        request = Request(asked, head, passed.caller, passed.names, now_us, self._id, at_once=at_once)
        if "origin" in head.by_name:
            self._cors = await desk.crossing.run(desk.service.cors, request)
        if operation in SINKS:
            return await self._take_in(request, passed)
        if operation is Operation.POST_OBJECT:
            return await self._form(request)
        return await self._act(request, passed)

    async def _act(self, request: Request, passed: Passed) -> Answer:
        """An operation without a body, or with a document."""
        desk = self._desk
        if not self._body.is_empty:
            raw = await self._body.whole(_DOCUMENT_BYTES)
            document = desk.gate.document(self._head, passed, raw)
            request = dataclasses.replace(request, body=document)
        elif passed.payload is not None:
            desk.gate.document(self._head, passed, b"")
        if request.asked.operation in READS:
            # What is in memory is read here: handing it to a thread takes longer than reading it.
            with contextlib.suppress(Unready):
                return desk.service.answer(request)
            request = dataclasses.replace(request, at_once=None)
        return await desk.crossing.run(desk.service.answer, request)

    # ------------------------------------------------------------ bodies

    async def _take_in(self, request: Request, passed: Passed) -> Answer:
        """A body that is an object's bytes: begun before it is read, so that no byte is sent in vain."""
        desk, crossing = self._desk, self._desk.crossing
        small = self._body.size_bytes is not None and self._body.size_bytes <= SMALL_BYTES
        if small:
            raw = await self._body.whole(SMALL_BYTES)
            return await crossing.run(_put_small, desk.service, request, passed, raw)
        return await self._pour(lambda: desk.service.sink(request, passed.payload, passed.signer))

    async def _pour(self, make: Callable[[], Sink]) -> Answer:
        """A body of any size, piece by piece."""
        crossing = self._desk.crossing
        async with self._desk.uploads:
            sink = await crossing.run(make)
            try:
                async for piece in self._body.pieces():
                    await crossing.finish(sink.write, piece)
                return await crossing.finish(sink.finish)
            except BaseException:
                await asyncio.shield(crossing.finish(sink.abort))
                raise

    async def _form(self, request: Request) -> Answer:
        def sender(fields: Mapping[str, str]) -> tuple[Caller, Namespace]:
            return self._desk.gate.sender(self._head, fields)

        return await self._pour(lambda: FormSink(request, sender))

    async def _own(self, head: Head) -> Answer | None:
        """What is no bucket's: health, readiness, metrics, the batch door."""
        desk = self._desk
        plain = ("content-type", "text/plain; charset=utf-8")
        if desk.batch.handles(head.path):
            return await self._batch(head)
        if head.path == "/-/health":
            self._name = "health"
            return Answer(200, [plain], b"ok\n")
        if head.path == "/-/ready":
            self._name = "ready"
            if desk.draining:
                return Answer(503, [plain, _RETRY], b"draining\n")
            await desk.crossing.run(desk.hub.namespace.buckets.all)
            return Answer(200, [plain], b"ready\n")
        if head.path == "/metrics" and "authorization" not in head.by_name:
            self._name = "metrics"
            desk.metrics.flush()
            kind, text = await desk.crossing.run(desk.metrics.text)
            return Answer(200, [("content-type", kind)], text)
        return None

    async def _batch(self, head: Head) -> Answer:
        """Many things named by one request; its body is small, its answer is a stream."""
        desk = self._desk
        self._name = "batch-" + head.path.rpartition("/")[2][:8]
        passed = desk.gate.passed(head, now_s=time.time())
        self._user = passed.caller.access_key
        raw = desk.gate.document(head, passed, await self._body.whole(_BATCH_BYTES))
        asked = Asked(Operation.GET_OBJECT, "", "", {}, head.by_name)
        request = Request(asked, head, passed.caller, passed.names, time.time_ns() // 1000, self._id)
        answer = functools.partial(desk.batch.answer, actor=passed.caller.user)
        return await desk.crossing.run(answer, head, raw, Rights(request))

    # ------------------------------------------------------------ answers

    async def _failed(self, failure: S3Failure) -> Answer:
        """The document of an error. The body is passed over first, or the connection is closed."""
        headers = [("content-type", "application/xml"), *failure.headers]
        if failure.status == 503:
            headers.append(_RETRY)
        if failure.code in ("InvalidAccessKeyId", "SignatureDoesNotMatch"):
            self._desk.metrics.refused += 1
        waits = (
            self._head.by_name.get("expect", "").lower() == "100-continue" and not self._body.received_bytes
        )
        if waits or not await self._body.pass_over():
            headers.append(CLOSE)
        if failure.status == 304:
            return Answer(304, failure.headers)
        body = answers.error(failure, resource=self._head.path[:1024], request_id=self._id, host_id=HOST_ID)
        return Answer(failure.status, headers, body)

    def _count(self) -> None:
        desk, seconds = self._desk, time.perf_counter() - self._started_s
        status, received, sent = self._delivery.status, self._body.received_bytes, self._delivery.sent_bytes
        desk.metrics.answered(self._name, status, seconds, received=received, sent=sent)
        if not desk.access.is_kept:
            return
        desk.access.write(
            id=self._id,
            client=self._head.client,
            key=self._user,
            operation=self._name,
            method=self._head.method,
            path=self._head.path,
            status=status,
            received=received,
            sent=sent,
            ms=round(seconds * 1000, 3),
        )


def _put_small(service: Service, request: Request, passed: Passed, raw: bytes) -> Answer:
    """A whole small upload, in one thread at one go."""
    sink = service.sink(request, passed.payload, passed.signer)
    try:
        sink.write(raw)
        return sink.finish()
    except MaruError as error:
        sink.abort()
        raise failure_of(error) from error
    except BaseException:
        sink.abort()
        raise
