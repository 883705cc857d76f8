"""The lab's rows and their payloads. Pure: values to bytes and back.

==================================  ==========================================================
key                                 payload
==================================  ==========================================================
``Rr`` id                           the run: what it trains on, code, parameters, state
``Rc`` id NUL recorder (16 hex)     what one recorder of the run claims to have handed out
``Rm`` id NUL writer (16 hex) u32   a chunk of metrics
``Rs`` id NUL u64 (big-endian)      a score; the number is the change's counter
==================================  ==========================================================

A payload is one byte (its version, 1) and a JSON object in UTF-8, so plain Python reads
it. A claim's row says its ``number``, counted up by its recorder (0 where it is not said); a
run's says in ``claimed`` how many intervals all its claims hold, at least one each (0 where it is not said).
Who wrote a row and when stands in its envelope. Numbers that JSON has no word for (a
loss that became NaN) are the strings "nan", "inf" and "-inf".
"""

from __future__ import annotations

import json
import math
import struct
from typing import Any, Final

from maruhub.errors import InvalidInput, UnsupportedFormat
from maruhub.store.format.row import Row

_VERSION: Final = b"\x01"
RUNS: Final = b"Rr"
CLAIMS: Final = b"Rc"
METRICS: Final = b"Rm"
SCORES: Final = b"Rs"


def run_key(run: str) -> bytes:
    """A run's row."""
    return RUNS + run.encode()


def claim_key(run: str, recorder: str) -> bytes:
    """What one recorder claims."""
    return of_run(CLAIMS, run) + recorder.encode()


def metrics_key(run: str, writer: str, number: int) -> bytes:
    """The ``number``-th chunk of one writer's metrics."""
    return of_run(METRICS, run) + writer.encode() + struct.pack(">I", number)


def score_key(run: str, counter: int) -> bytes:
    """A score; scores of a run sort by when they were given."""
    return of_run(SCORES, run) + struct.pack(">Q", counter)


def of_run(kind: bytes, run: str) -> bytes:
    """What all rows of one kind and run begin with."""
    return kind + run.encode() + b"\0"


def run_of_key(key: bytes) -> str:
    """The run that a row belongs to."""
    return key[2:].split(b"\0", 1)[0].decode()


def encode(payload: dict[str, Any]) -> bytes:
    """A payload's bytes; raises InvalidInput for what JSON can't hold."""
    try:
        text = json.dumps(payload, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        return _VERSION + text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInput(
            f"this can't be recorded with a run: {error}", hint="Use text, numbers, lists and dicts of them."
        ) from None


def decode(row: Row) -> dict[str, Any]:
    """The payload of a row."""
    payload = row.payload
    if payload[:1] != _VERSION:
        raise UnsupportedFormat(
            f"lab row {row.key!r} was written by another release.", hint="Upgrade maruhub."
        )
    decoded: dict[str, Any] = json.loads(payload[1:])
    return decoded


def encode_number(value: float) -> float | str:
    """A finite number itself, else its name."""
    return value if math.isfinite(value) else str(float(value))


def number_of(name: str, value: Any) -> float:
    """A metric's value as a plain number; raises InvalidInput naming it."""
    try:
        if isinstance(value, str | bytes):
            raise TypeError("text")
        return float(value)
    except OverflowError:
        raise InvalidInput(
            f"metric {name!r} is too large for a number.", hint="Give its logarithm."
        ) from None
    except (TypeError, ValueError):
        raise InvalidInput(
            f"metric {name!r} is no number: {value!r}.", hint="Give an int or float."
        ) from None
