"""Signed requests to one hub, tried again where that is safe.

Errors that the hub tells of are raised as what they are and never tried again; what the network
does is, for as long as patience lasts. Safe from many threads, and after a fork.
"""

from __future__ import annotations

import http.client
import json
import os
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any, Final

import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    LocationParseError,
    NewConnectionError,
    SSLError,
)

from maruhub.errors import Busy, InvalidInput, MaruError, NoSuchHub, Refused, Unavailable
from maruhub.remote.credentials import Credentials, signed_headers
from maruhub.remote.incoming import read_frames
from maruhub.remote.patience import FIRST_S, PATIENCE_S, Patience
from maruhub.remote.room import Room
from maruhub.wire import fault
from maruhub.wire.frame import Buffer

PREFIX: Final = "/-/batch/v1/"
_ERROR_BYTES: Final = 256 << 10
_ANSWER_BYTES: Final = 1 << 30
_CONNECT_S: Final = 10.0
_SILENCE_S: Final = 60.0
_POOL: Final = 8


class Cut(Exception):
    """The network failed; whether the hub has heard anything is not known."""


class Transport:
    """The way to one hub; handed to another process it is opened there.

    Args:
        url: ``http://host:port`` or ``https://…``.
        credentials: Who asks.
        ca: A file of certificates to trust, instead of the system's.
        patience_s: Seconds without progress after which a call is given up.
    """

    def __init__(
        self, url: str, credentials: Credentials, *, ca: str | None = None, patience_s: float = PATIENCE_S
    ) -> None:
        try:
            parsed = urllib3.util.parse_url(url)
        except LocationParseError:
            parsed = urllib3.util.Url()
        if parsed.scheme not in ("http", "https") or not parsed.host or parsed.path not in (None, "", "/"):
            raise InvalidInput(f"{url!r} is not the address of a hub.", hint="Write http://HOST:PORT.")
        default = {"http": 80, "https": 443}[parsed.scheme]
        self.url = f"{parsed.scheme}://{parsed.netloc}"
        self.credentials = credentials
        self.ca = ca
        self.patience_s = patience_s
        self._host = parsed.host if parsed.port in (None, default) else f"{parsed.host}:{parsed.port}"
        self._answered = False
        self._room = Room()
        self._open()

    def __reduce__(self) -> tuple[Any, ...]:
        # In another process connections are made anew.
        return _reopened, (self.url, self.credentials, self.ca, self.patience_s)

    def _open(self) -> None:
        self._pid = os.getpid()
        self._pool = urllib3.PoolManager(
            maxsize=_POOL,
            retries=False,
            timeout=urllib3.Timeout(connect=_CONNECT_S, read=_SILENCE_S),
            ca_certs=self.ca,
        )

    def patience(self) -> Patience:
        """A new patience, short while the hub has never answered."""
        return Patience(self.patience_s if self._answered else min(FIRST_S, self.patience_s))

    def call(self, name: str, /, *, again: bool = True, **arguments: Any) -> Any:
        """The result of a call; with ``again`` False it is not sent again once it may have been heard."""
        answer = json.loads(self.post("call", _json({"call": name, "arguments": arguments}), again=again))
        return answer["result"]

    def table(self, name: str, /, **arguments: Any) -> bytes:
        """The Arrow IPC stream that a call answers."""
        return self.post("call", _json({"call": name, "arguments": arguments}))

    def post(self, what: str, body: bytes, *, again: bool = True) -> bytes:
        """The whole body of an answer.

        Raises:
            Unavailable: The hub can't be reached, or the answer was lost and ``again`` is False.
            MaruError: What the hub says.
        """
        patience = self.patience()
        while True:
            try:
                with self._request(what, body) as response:
                    data = response.read(_ANSWER_BYTES, decode_content=False)
                    self._check_length(response, data)
                    return data
            except (HTTPError, Cut) as cut:
                unheard = isinstance(cut, NewConnectionError | ConnectTimeoutError)
                if not again and not unheard:
                    raise self._unreachable(
                        cut, hint="It may have been done: look before you do it again."
                    ) from cut
                if isinstance(cut, SSLError) or not patience.failed():
                    raise self._unreachable(cut) from cut

    @contextmanager
    def stream(self, request: dict[str, Any], *, checked: bool) -> Generator[Iterator[Buffer]]:
        """The pieces of an answer to a read, as they come; an error of the network is a Cut.

        A piece is a whole frame, and its memory used again when no view of it is left. Whoever decodes it
        checks its sums. With ``checked`` the hub has done so too, and found other copies where one was bad.
        """
        asked = request if checked else {**request, "unchecked": True}
        try:
            with self._request("read", _json(asked)) as response:
                yield self._pieces(response)
        except HTTPError as error:
            raise Cut(str(error)) from error

    def _pieces(self, response: urllib3.BaseHTTPResponse) -> Iterator[Buffer]:
        try:
            yield from read_frames(response, self._room)
        except (OSError, http.client.HTTPException) as error:
            raise Cut(str(error)) from error

    @contextmanager
    def _request(self, what: str, body: bytes) -> Generator[urllib3.BaseHTTPResponse]:
        if os.getpid() != self._pid:
            self._open()  # the parent's connections are its own
        response = self._heard(PREFIX + what, body)
        whole = False
        try:
            yield response
            whole = True
        finally:
            if whole:
                response.drain_conn()
                response.release_conn()
            else:
                response.close()

    def _heard(self, path: str, body: bytes) -> urllib3.BaseHTTPResponse:
        """An answer that is a success. A hub that is busy has done nothing, and is asked again for some time."""
        patience: Patience | None = None
        while True:
            headers = signed_headers(self.credentials, self._host, path, body, now=time.time())
            response = self._pool.request(
                "POST",
                self.url + path,
                body=body,
                headers=headers,
                preload_content=False,
                decode_content=False,
            )
            if response.status == 200:
                self._answered = True
                return response
            try:
                self._raise(response)
            except Busy:
                patience = patience or self.patience()
                if not patience.failed():
                    raise
            finally:
                response.close()

    def _raise(self, response: urllib3.BaseHTTPResponse) -> None:
        """Raises what an answer that is no success says."""
        text = response.read(_ERROR_BYTES, decode_content=False)
        told = fault.decode_json(text)
        if isinstance(told, dict) and isinstance(told.get("error"), dict):
            self._answered = True
            raise fault.from_json(told["error"])
        if response.status in (502, 503, 504):
            raise Cut(f"the server answered {response.status}")
        code = _code(text)
        if code == "RequestTimeout":
            raise Busy(f"{self.url} did not get all of a request in time.", hint="Send less at a time.")
        raise self._refusal(response.status, code)

    def _refusal(self, status: int, code: str) -> MaruError:
        why = f"{self.url} answered {status}{f' ({code})' if code else ''}"
        if code == "RequestTimeTooSkewed":
            return Refused(f"{why}: the clocks of both machines differ.", hint="Set this machine's clock.")
        if status in (401, 403):
            hint = "Give access_key and secret_key of `maru key create`, or set MARU_ACCESS_KEY and MARU_SECRET_KEY."
            return Refused(f"{why}: it does not accept the key {self.credentials.access_key!r}.", hint=hint)
        if status in (404, 405):
            return NoSuchHub(f"{why}: no hub of this release serves there.", hint="Is it `maru serve`?")
        return Unavailable(f"{why}.", hint="Its log says more.")

    def _unreachable(self, cut: Exception, *, hint: str = "Is `maru serve` running there?") -> Unavailable:
        if isinstance(cut, SSLError):
            hint = "Give ca=FILE if its certificate is of your own authority."
        return Unavailable(f"{self.url} can't be reached: {cut}", hint=hint)

    def close(self) -> None:
        """Lets idle connections and memory go."""
        self._pool.clear()
        self._room.clear()

    def give_up(self, cut: Exception) -> Unavailable:
        """The error of who has tried for long enough."""
        return self._unreachable(cut)

    @staticmethod
    def _check_length(response: urllib3.BaseHTTPResponse, data: bytes) -> None:
        promised = response.headers.get("content-length")
        if promised is not None and promised.isdigit() and int(promised) != len(data):
            raise Cut(f"{len(data)} of {promised} bytes came")


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _code(text: bytes) -> str:
    """The code of an error document of S3; it is for people, so no parser of XML is needed."""
    found = text.partition(b"<Code>")[2].partition(b"</Code>")[0]
    return found.decode() if found.isalnum() and len(found) < 80 else ""


def _reopened(url: str, credentials: Credentials, ca: str | None, patience_s: float) -> Transport:
    """A way that came from another process."""
    return Transport(url, credentials, ca=ca, patience_s=patience_s)
