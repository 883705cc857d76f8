"""Whole small uploads that came at the same time: checked each by itself, put on record together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import repeat
from typing import Final, NamedTuple

from maruhub.errors import MaruError
from maruhub.gateway.answer import Answer
from maruhub.gateway.s3.signatures.v4 import Payload
from maruhub.gateway.service.puts import Put
from maruhub.gateway.service.request import Request
from maruhub.gateway.service.service import Service
from maruhub.namespace.bucket import Bucket
from maruhub.namespace.object import ObjectInfo
from maruhub.namespace.placing import Placing, place_together
from maruhub.store.protocol import Store
from maruhub.wire.signing import Signer

SMALL_BYTES: Final = (1 << 20) - 1
"""Of a body that is put whole, together with others, and of all of them together; larger ones go piece by piece.

What the store takes for bulk, from a MiB on, has to be patient, and small ones would wait with it.
"""


class SmallPut(NamedTuple):
    """A PutObject with its body, at most ``SMALL_BYTES`` long.

    Args:
        request: What is asked.
        payload: What its signature says of the body; None without a signature.
        signer: Who signed, for the chain of chunks.
        body: As it came over the wire.
    """

    request: Request
    payload: Payload | None
    signer: Signer | None
    body: bytes


class SmallPuts:
    """Some of them on their way. What is wrong with one is told of that one alone.

    Making it checks them: who may, whether the bodies are what was promised; nothing is written yet.

    Args:
        service: Whose rules they go by.
        puts: In the order of :meth:`finish`.
    """

    def __init__(self, service: Service, puts: Sequence[SmallPut]) -> None:
        buckets: dict[str, Bucket] = {}
        self._going: list[tuple[Put, Placing] | Exception] = [_checked(service, put, buckets) for put in puts]

    def finish(self, store: Store) -> list[Answer | Exception]:
        """Writes them; for each its answer, durable, or why nothing of it is kept."""
        placings = [going[1] for going in self._going if not isinstance(going, Exception)]
        placed: Iterator[list[ObjectInfo] | Exception]
        try:
            placed = iter(place_together(store, placings) if placings else ())
        except Exception as error:  # noqa: BLE001 - whoever waits for an answer must have one
            placed = repeat(error)
        return [
            going if isinstance(going, Exception) else _answered(going[0], next(placed))
            for going in self._going
        ]


def _checked(
    service: Service, small: SmallPut, buckets: dict[str, Bucket]
) -> tuple[Put, Placing] | Exception:
    try:
        put = service.put(small.request, small.payload, small.signer, buckets)
        return put, put.placing(small.body)
    except Exception as error:  # noqa: BLE001 - it is that one's answer
        return _without_its_way(error)


def _answered(put: Put, outcome: list[ObjectInfo] | Exception) -> Answer | Exception:
    def made() -> ObjectInfo:
        if isinstance(outcome, Exception):
            raise outcome
        return outcome[0]

    try:
        return put.answer(put.heeded(made))
    except Exception as error:  # noqa: BLE001 - it is that one's answer
        return _without_its_way(error)


def _without_its_way(error: Exception) -> Exception:
    """A refusal without the frames it came through: they hold all bodies that came with it, and it in turn."""
    each: BaseException | None = error
    while isinstance(each, MaruError):
        each.__traceback__ = None
        each = each.__context__
    return error
