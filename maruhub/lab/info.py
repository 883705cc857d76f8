"""What a run is: what it trains on, its code and parameters, how it stands. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Final

from maruhub.errors import InvalidInput, Refused
from maruhub.lab.row import decode, encode
from maruhub.store.format.row import Row

STATES: Final = ("running", "finished", "failed", "abandoned")
PARAMETERS_BYTES_MAX: Final = 256 << 10
REASON_CHARS_MAX: Final = 4096


@dataclass(frozen=True, slots=True)
class RunInfo:
    """What a run's row says.

    Attributes:
        id: Sorts by when the run was started.
        view: Digest of what it trains on; ``dataset``, ``version`` and ``split`` of it.
        code: A commit, a file, a text.
        parents: What its model began with: ids of runs, or other names (then nobody can
            tell what those have read).
        state: One of :data:`STATES`; ``reason`` says why it failed.
        actor: Who started it.
    """

    id: str
    name: str
    view: str
    dataset: str
    version: str
    split: str | None
    samples: int
    code: str
    parameters: dict[str, Any]
    seed: int
    started_us: int
    finished_us: int = 0
    parents: list[str] = field(default_factory=list)
    state: str = "running"
    reason: str = ""
    actor: str = ""

    def encode(self) -> bytes:
        """The row's payload: all but the id, which stands in its key."""
        payload = asdict(self)
        del payload["id"]
        return encode(payload)

    @classmethod
    def of_row(cls, row: Row) -> RunInfo:
        """From a row ``Rr``."""
        return cls.of_json({**decode(row), "id": row.key[2:].decode()})

    @classmethod
    def of_json(cls, told: Mapping[str, Any]) -> RunInfo:
        """From plain values; fields that a later release added are left out."""
        known = {f.name for f in fields(cls)}
        return cls(**{name: value for name, value in told.items() if name in known})


def check_name(name: str) -> str:
    """A run's name; raises InvalidInput."""
    if not name or len(name.encode()) > 255 or not name.isprintable():
        raise InvalidInput(f"run name {name!r} must be 1–255 printable bytes.", hint="Choose another.")
    return name


def check_parameters(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Plain parameters, bounded; raises InvalidInput, Refused."""
    plain = {str(name): value for name, value in parameters.items()}
    if len(encode(plain)) > PARAMETERS_BYTES_MAX:
        raise Refused(
            f"the run's parameters are larger than {PARAMETERS_BYTES_MAX} bytes.",
            hint="Put large things in a bucket and name their key.",
        )
    return plain


def check_end(state: str) -> str:
    """A state in which a run may end; raises InvalidInput."""
    if state not in STATES[1:]:
        raise InvalidInput(f"a run can't end as {state!r}.", hint=f"Use one of: {', '.join(STATES[1:])}.")
    return state
