"""One request and its answer, on the wire.

It begins in the thread in which the server's runtime hands requests over. What is decided there is
cheap: which door is meant, whether the signature is right, what to do with the body. Refusals, and
reads of what is in memory, are answered in that thread at once. Whatever has to wait for something
goes on in the event loop; what may wait for a drive runs in threads.
"""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import logging
import random
import time
import traceback
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final

from maruhub.errors import MaruError
from maruhub.gateway.answer import Answer, Step
from maruhub.gateway.head import Head
from maruhub.gateway.s3.documents import answers
from maruhub.gateway.s3.failure import S3Failure
from maruhub.gateway.s3.operation import FORM, LONG_WRITES, READS, Operation
from maruhub.gateway.s3.route import Asked, bucket_of_host, route
from maruhub.gateway.serve.bodies.body import body_of
from maruhub.gateway.serve.bodies.room import Room
from maruhub.gateway.serve.delivery import CLOSE, HOST_ID, Delivery
from maruhub.gateway.serve.desk import Desk
from maruhub.gateway.serve.gate import Passed
from maruhub.gateway.serve.heads import check_head
from maruhub.gateway.serve.telemetry.ended import Ended
from maruhub.gateway.serve.vitals import RETRY, vital_of
from maruhub.gateway.service.authority import Authority
from maruhub.gateway.service.form import FormSink
from maruhub.gateway.service.request import Caller, Request, Unready
from maruhub.gateway.service.service import SINKS
from maruhub.gateway.service.sinks import Sink
from maruhub.gateway.service.small_puts import SMALL_BYTES, SmallPut
from maruhub.gateway.service.translation import failure_of
from maruhub.namespace import Namespace

_log = logging.getLogger(__name__)

_DOCUMENT_BYTES: Final = 8 << 20
_BATCH_BYTES: Final = 64 << 20
_STRANGERS_BATCH_BYTES: Final = 1 << 20
_OWN: Final = "/-/"
_ELSEWHERE: Final = Answer(0, [])
"""Stands for an answer that is on its way past the event loop."""


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
        self._sent = sent
        # It need not be unguessable: it names this request in answers and logs.
        self._id = f"{random.getrandbits(64):016X}"
        self._body = body_of(head, protocol, desk.options.idle_s)
        self._delivery = Delivery(desk, protocol, head, self._id)
        self._name = "unknown"
        self._is_long = False
        self._user = ""
        self._cors: list[tuple[str, str]] = []

    def begin(self) -> Coroutine[Any, Any, None] | None:
        """Answers, whatever happens; or gives what is to be run in the event loop until it has."""
        step = self._first_step()
        if step is _ELSEWHERE:
            return None
        if not isinstance(step, Answer) or not step.is_whole:
            return self._finish(step)
        self._delivery.send_whole(step, self._cors)
        self._note()
        return None

    async def _finish(self, step: Step) -> None:
        """The same for what has to be waited for."""
        self._desk.metrics.waits(1)
        try:
            answer = step if isinstance(step, Answer) else await self._answer_in_time(step)
            if self._user:
                # An answer may take an epoch: other bodies can't wait for that. Strangers' wait for each other.
                self._body.let_go()
            if isinstance(answer, Answer):
                await self._deliver(answer)
            else:
                await self._delivery.send_late(answer, self._cors)
        except asyncio.CancelledError:
            raise
        except ConnectionError as error:
            _log.warning("request %s of %s: %s", self._id, self._head.client, error)
            raise
        except Exception as error:
            _log.exception("request %s broke off", self._id)
            # What can't be read holds the frames that it came through, and they the answer: its connection would
            # stay open, and the client wait, until the collector came by.
            traceback.clear_frames(error.__traceback__)
            raise
        finally:
            self._desk.metrics.waits(-1)
            self._body.let_go()
            self._note()

    async def _deliver(self, answer: Answer) -> None:
        """Sends it; what turns out to be wrong before anything was sent is an answer too."""
        try:
            await self._delivery.send(answer, self._cors)
        except MaruError as error:
            if self._delivery.has_begun:
                raise
            _log.warning("request %s: %s", self._id, error)
            step = self._failed(self._failure(error))
            self._delivery.send_whole(step if isinstance(step, Answer) else await step, self._cors)

    def _first_step(self) -> Step:
        """What to answer, or how to find out; whatever goes wrong is an answer too."""
        try:
            return self._decide()
        except Exception as error:  # noqa: BLE001 - see _failure
            return self._failed(self._failure(error))

    async def _answer_in_time(self, waiting: Coroutine[Any, Any, Answer]) -> Answer | asyncio.Task[Answer]:
        """What to answer; the wait for it where it is long in coming, and clients know that it may be."""
        if not self._is_long:
            return await self._answer(waiting)
        task = asyncio.create_task(self._answer(waiting))
        while not (await asyncio.wait({task}, timeout=self._desk.options.quiet_s))[0]:
            if self._body.is_over:
                return task
        return task.result()

    async def _answer(self, waiting: Coroutine[Any, Any, Answer]) -> Answer:
        """What to answer; whatever goes wrong is an answer too."""
        try:
            return await waiting
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - see _failure
            step = self._failed(self._failure(error))
            return step if isinstance(step, Answer) else await step

    def _failure(self, error: Exception) -> S3Failure:
        """S3's word for what went wrong."""
        if isinstance(error, MaruError):
            return failure_of(error)
        # A bug of ours: the client gets S3's word for it, the log the rest.
        _log.error("request %s: %.16s %.1024r", self._id, self._head.method, self._head.path, exc_info=error)
        return S3Failure("InternalError")

    def _decide(self) -> Step:
        head, desk = self._head, self._desk
        check_head(head, self._sent, desk.options.header_bytes)
        if head.path.startswith(_OWN) or (head.path == "/metrics" and not head.query):
            own = self._own(head)
            if own is not None:
                return own
        asked = route(head, hosts=desk.options.base_hosts)
        operation = asked.operation
        self._name, self._is_long = operation.api_name, operation in LONG_WRITES
        now_us = time.time_ns() // 1000
        virtual = asked.bucket if asked.virtual_host else ""
        passed = desk.gate.passed(head, now_s=now_us / 1e6, virtual_bucket=virtual)
        self._user = passed.caller.access_key
        at_once = desk.hub.store.read_at_once if operation in READS else None
        request = Request(asked, head, passed.caller, passed.names, now_us, self._id, at_once=at_once)
        if "origin" in head.by_name:
            return self._for_a_page(request, passed)
        if operation is Operation.PUT_OBJECT and self._body.is_in_one_piece:
            return self._take_beside(request, passed)
        return self._do(request, passed)

    async def _for_a_page(self, request: Request, passed: Passed) -> Answer:
        """A page of another site asks: the bucket's rules say what it may see of any answer."""
        self._cors = await self._desk.crossing.run(self._desk.service.cors, request)
        step = self._do(request, passed)
        return step if isinstance(step, Answer) else await step

    def _do(self, request: Request, passed: Passed) -> Step:
        desk, operation = self._desk, request.asked.operation
        if operation in SINKS:
            return self._take_in(request, passed)
        if operation is FORM:
            return self._form(request)
        if not self._body.is_empty:
            return self._with_document(request, passed)
        if passed.payload is not None:
            desk.gate.document(self._head, passed, b"")
        if operation in READS:
            # What is in memory is read here: handing it to a thread takes longer than reading it.
            try:
                return desk.service.answer(request)
            except Unready:
                request = dataclasses.replace(request, at_once=None)
        return desk.crossing.run(desk.service.answer, request)

    async def _with_document(self, request: Request, passed: Passed) -> Answer:
        """An operation with a document, or a body that it does not need."""
        desk = self._desk
        raw = await self._body.whole(_DOCUMENT_BYTES, self._room_for(passed))
        # To complete an upload, a client gives the checksum of the object that it will be.
        summed = request.asked.operation is not Operation.COMPLETE_MULTIPART_UPLOAD
        document = desk.gate.document(self._head, passed, raw, summed=summed)
        request = dataclasses.replace(request, body=document, at_once=None)
        return await desk.crossing.run(desk.service.answer, request)

    # ------------------------------------------------------------ bodies

    def _room_for(self, passed: Passed) -> Room:
        return self._desk.strangers_room if passed.caller.anonymous else self._desk.room

    def _take_in(self, request: Request, passed: Passed) -> Coroutine[Any, Any, Answer]:
        """A body that is an object's bytes: of a small object it is held whole, any other is poured."""
        desk, size_bytes = self._desk, self._body.size_bytes
        whole = size_bytes is not None and size_bytes <= SMALL_BYTES
        if whole and request.asked.operation is Operation.PUT_OBJECT:
            return self._take_whole(request, passed)
        make = functools.partial(desk.service.sink, request, passed.payload, passed.signer)
        return self._pour(make, desk.uploads)

    async def _take_whole(self, request: Request, passed: Passed) -> Answer:
        """A small object: put together with others, once there was room for it."""
        raw = await self._body.whole(SMALL_BYTES, self._room_for(passed))
        return await self._desk.putting.answer(SmallPut(request, passed.payload, passed.signer, raw))

    def _take_beside(self, request: Request, passed: Passed) -> Answer:
        """The same for one in one piece: awaited, put and answered past the event loop."""
        desk = self._desk

        def take(future: Any) -> None:
            try:
                raw = self._body.received(future)
                desk.putting.put(SmallPut(request, passed.payload, passed.signer, raw), self._end)
            except Exception as error:  # noqa: BLE001 - see _failure
                self._end(error)

        desk.metrics.waits(1)
        desk.arrivals.expect(self._body.ask(), take)
        return _ELSEWHERE

    def _end(self, outcome: Answer | Exception) -> None:
        """Answers, from any thread, once the body is over."""
        try:
            answer = self._failed(self._failure(outcome)) if isinstance(outcome, Exception) else outcome
            assert isinstance(answer, Answer)
            self._delivery.send_whole(answer, self._cors)
        except Exception as error:  # noqa: BLE001 - nobody above would hear of it
            _log.error("request %s broke off", self._id, exc_info=error)
        finally:
            self._desk.metrics.waits(-1)
            self._note()

    async def _pour(self, make: Callable[[], Sink], places: Room) -> Answer:
        """A body of any size, piece by piece: begun before it is read, so that no byte is sent in vain."""
        crossing = self._desk.crossing
        async with places.lent(1):
            sink = await crossing.run(make)
            try:
                async for piece in self._body.pieces(places=places):
                    await crossing.finish(sink.write, piece)
                return await crossing.finish(sink.finish)
            except BaseException:
                await asyncio.shield(crossing.finish(sink.abort))
                raise

    async def _form(self, request: Request) -> Answer:
        def sender(fields: Mapping[str, str]) -> tuple[Caller, Namespace]:
            return self._desk.gate.sender(self._head, fields)

        return await self._pour(lambda: FormSink(request, sender), self._desk.forms)

    def _own(self, head: Head) -> Step | None:
        """What is no bucket's: the batch door, and what a worker says of itself."""
        if bucket_of_host(head, self._desk.options.base_hosts):
            return None  # in a bucket these are keys like others
        if self._desk.batch.handles(head.path):
            return self._batch(head)
        vital = vital_of(head, self._desk)
        if vital is None:
            return None
        self._name, step = vital
        return step

    async def _batch(self, head: Head) -> Answer:
        """Many things named by one request; its body is small, its answer is a stream."""
        desk = self._desk
        self._name = desk.batch.name_of(head.path)
        passed = desk.gate.passed(head, now_s=time.time())
        self._user = passed.caller.access_key
        most = _STRANGERS_BATCH_BYTES if passed.caller.anonymous else _BATCH_BYTES
        raw = desk.gate.document(head, passed, await self._body.whole(most, self._room_for(passed)))
        asked = Asked(Operation.GET_OBJECT, "", "", {}, head.by_name)
        request = Request(asked, head, passed.caller, passed.names, time.time_ns() // 1000, self._id)
        answer = functools.partial(desk.batch.answer, actor=passed.caller.user)
        return await desk.crossing.run(answer, head, raw, Authority(request).allows)

    # ------------------------------------------------------------ answers

    def _failed(self, failure: S3Failure) -> Step:
        """The document of an error. The body is passed over first, or the connection is closed."""
        if failure.code in ("InvalidAccessKeyId", "SignatureDoesNotMatch"):
            self._desk.register.refused()
        waits = (
            self._head.by_name.get("expect", "").lower() == "100-continue" and not self._body.received_bytes
        )
        if waits or self._body.is_over:
            return self._error(failure, close=waits)
        return self._behind_body(failure)

    async def _behind_body(self, failure: S3Failure) -> Answer:
        return self._error(failure, close=not await self._body.pass_over())

    def _error(self, failure: S3Failure, *, close: bool) -> Answer:
        headers = [("content-type", "application/xml"), *failure.headers]
        if failure.status == 503:
            headers.append(RETRY)
        if close:
            headers.append(CLOSE)
        if failure.status == 304:
            return Answer(304, failure.headers)
        body = answers.error(failure, resource=self._head.path[:1024], request_id=self._id, host_id=HOST_ID)
        return Answer(failure.status, headers, body)

    def _note(self) -> None:
        self._desk.register.note(
            Ended(
                time.time(),
                time.perf_counter() - self._started_s,
                self._id,
                self._head.client,
                self._user,
                self._name,
                self._head.method,
                self._head.path,
                self._delivery.status,
                self._body.received_bytes,
                self._delivery.sent_bytes,
            )
        )
