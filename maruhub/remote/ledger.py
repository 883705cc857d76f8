"""The ledger of a hub elsewhere: runs that train here, recorded there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from maruhub.lab.claim import Claim
from maruhub.lab.info import RunInfo
from maruhub.lab.ledger import Point
from maruhub.lab.score import Score

if TYPE_CHECKING:
    from maruhub.remote.transport import Transport

_PAGE: Final = 1000
_GIVEN: Final = ("id", "name", "view", "code", "parameters", "seed", "parents", "started_us")


class RemoteLedger:
    """As :class:`maruhub.lab.ledger.Ledger`; who acts is whose key it is, which the hub knows."""

    actor = ""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def start(self, info: RunInfo) -> RunInfo:
        """See :class:`~maruhub.lab.ledger.Ledger`."""
        given = {name: value for name, value in asdict(info).items() if name in _GIVEN}
        return RunInfo.of_json(self._transport.call("run.start", run=given))

    def info(self, run: str) -> RunInfo | None:
        """See :class:`~maruhub.lab.ledger.Ledger`."""
        return next((info for info in self._page(run, limit=1) if info.id == run), None)

    def infos(self, beginning: str = "") -> Iterator[RunInfo]:
        """See :class:`~maruhub.lab.ledger.Ledger`."""
        after = ""
        while found := self._page(beginning, after=after):
            yield from found
            after = found[-1].id

    def _page(self, beginning: str, *, after: str = "", limit: int = _PAGE) -> list[RunInfo]:
        told = self._transport.call("run.page", beginning=beginning, after=after, limit=limit)
        return [RunInfo.of_json(each) for each in told]

    def end(self, run: str, state: str, reason: str) -> None:
        """See :class:`~maruhub.lab.ledger.Ledger`."""
        self._transport.call("run.end", run=run, state=state, reason=reason)

    def claim(self, run: str, recorder: str, claim: Claim) -> None:
        """See :class:`~maruhub.lab.ledger.Ledger`."""
        self._transport.call("run.claim", run=run, recorder=recorder, claim=claim.payload())

    def claims(self, run: str) -> Sequence[Claim]:
        """See :class:`~maruhub.lab.ledger.Ledger`."""
        return [Claim.of_payload(told) for told in self._transport.call("run.claims", run=run)]

    def add_points(self, run: str, writer: str, number: int, points: Sequence[Point]) -> None:
        """See :class:`~maruhub.lab.ledger.Ledger`."""
        chunk = [list(point) for point in points]
        self._transport.call("run.add_points", run=run, writer=writer, number=number, points=chunk)

    def points(self, run: str) -> Iterator[Point]:
        """See :class:`~maruhub.lab.ledger.Ledger`."""
        return ((step, values) for step, values in self._transport.call("run.points", run=run))

    def scores(self, run: str = "") -> Iterator[Score]:
        """See :class:`~maruhub.lab.ledger.Ledger`."""
        return (Score.of_json(told) for told in self._transport.call("run.scores", run=run))
