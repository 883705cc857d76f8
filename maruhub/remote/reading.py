"""An answer to a read, to its end: over any number of cuts, nothing twice and nothing left out.

What has been yielded is behind us: after a cut the read is asked for again from there on.

Bytes are summed once, here, where they are used. Only where a sum is wrong the hub is asked to check
what it sends as well: it knows other copies.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator, Sized
from typing import Any, Generic, TypeVar

from maruhub.errors import InvalidData
from maruhub.remote.transport import Cut, Transport
from maruhub.wire.frame import Buffer
from maruhub.wire.stream import Event, StreamReader

S = TypeVar("S", bound=Sized)


class BadStream(Exception):
    """What came is no stream; most likely something was altered on the way."""


class Answer(ABC, Generic[S]):
    """One answer on its way: decodes what comes.

    Args:
        request: What it answers.
    """

    def __init__(self, request: dict[str, Any]) -> None:
        self.request = request
        self._reader = StreamReader()

    @property
    def is_whole(self) -> bool:
        """Whether it has come to its end."""
        return self._reader.ended

    def feed(self, piece: Buffer) -> Iterator[S]:
        """What is whole and verified with ``piece``; raises BadStream, or what the hub says of the read."""
        events = self._reader.feed(piece)
        while True:
            try:
                event = next(events, None)
            except InvalidData as error:
                raise BadStream(str(error)) from error
            if event is None:
                return
            yield from self.heard(event)

    @abstractmethod
    def heard(self, event: Event) -> Iterator[S]:
        """What is whole with an event; raises BadStream."""


def read_to_end(transport: Transport, begin: Callable[[int], Answer[S]], done: int = 0) -> Generator[S]:
    """What answers give, one after the other, until one is whole.

    Args:
        transport: To the hub.
        begin: How much of it has come, by what is yielded → the answer with the rest.
        done: Where to begin.

    Raises:
        Unavailable: The hub did not answer for as long as patience lasts.
        MaruError: What the hub says of the read as a whole.
    """
    patience, checked = transport.patience(), False
    while True:
        answer = begin(done)
        try:
            with transport.stream(answer.request, checked=checked) as pieces:
                for piece in pieces:
                    for some in answer.feed(piece):
                        done += len(some)
                        patience.progress()
                        yield some
            if answer.is_whole:
                return
            cut: Exception = Cut("the answer was cut")
        except (Cut, BadStream) as error:
            cut = error
        if isinstance(cut, BadStream) and not checked:
            checked = True  # the network did not fail: nothing is waited for
        elif not patience.failed():
            raise transport.give_up(cut) from cut
