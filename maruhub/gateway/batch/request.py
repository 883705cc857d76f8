"""What a read request asks, as values. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from maruhub import argument
from maruhub.errors import InvalidInput, UnsupportedFormat
from maruhub.gateway.batch.fields import I63_MAX, U64_MAX, Fields
from maruhub.loaders.following import JOINS_MAX
from maruhub.loaders.joined import PARTS_ELSEWHERE_MAX
from maruhub.loaders.order import Policy
from maruhub.loaders.orders import policy_of

FORMAT: Final = 1
EXTENT_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Keys:
    """Keys of one bucket; ``version_ids`` is empty or as long as they are."""

    bucket: str
    keys: tuple[str, ...]
    version_ids: tuple[str | None, ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """A version or view: a dataset's version or a saved view, and what is done to it.

    Attributes:
        dataset: Its name, empty if ``view`` names a saved one.
        version: ``v3``, a tag, ``latest``.
        view: The digest of a saved view, or empty.
        operations: Applied in order, each a name and its arguments.
        digest: What must come out, or empty.
        parts: Sources laid end to end, for a mix; then nothing else is named but ``digest``.
    """

    dataset: str = ""
    version: str = ""
    view: str = ""
    operations: tuple[tuple[Any, ...], ...] = ()
    digest: str = ""
    parts: tuple[Source, ...] = ()


@dataclass(frozen=True, slots=True)
class ReadObjects:
    """Objects by key. ``skip_bytes`` are left out of the first item after ``skip``."""

    groups: tuple[Keys, ...]
    skip: int = 0
    skip_bytes: int = 0
    unchecked: bool = False


@dataclass(frozen=True, slots=True)
class ReadSamples:
    """Rows of a source, in their order."""

    source: Source
    rows: tuple[int, ...]
    columns: bool = True
    skip: int = 0
    unchecked: bool = False


@dataclass(frozen=True, slots=True)
class Joining:
    """A newer source that joins the epoch at a position; see :mod:`maruhub.loaders.following`."""

    source: Source
    position: int
    new: int
    old: int


@dataclass(frozen=True, slots=True)
class ReadEpoch:
    """One rank's share of epochs, as a loader's plan cuts them; ``epochs`` None never ends."""

    source: Source
    batch_size: int
    seed: int | None = None
    rank: int = 0
    world: int = 1
    epoch: int = 0
    position: int = 0
    epochs: int | None = 1
    count: int | None = None
    columns: bool = True
    skip: int = 0
    order: Policy | None = None
    samples_per_epoch: int | None = None
    remainder: str = "exact"
    joined: tuple[Joining, ...] = ()
    unchecked: bool = False


ReadRequest = ReadObjects | ReadSamples | ReadEpoch
"""``unchecked``: whoever receives it checks the sums, so that nobody need do so before it is sent."""


def parse_read(value: dict[str, Any]) -> ReadRequest:
    """A read request.

    Raises:
        InvalidInput: It is none; the message names the field.
        UnsupportedFormat: A later format.
    """
    fields = Fields(value, "the request")
    if fields.whole("format") != FORMAT:
        raise UnsupportedFormat(
            f"this hub reads requests of format {FORMAT}.", hint="Use a client of its release."
        )
    kinds = {"objects": _objects, "samples": _samples, "epoch": _epoch}
    named = [kind for kind in kinds if fields.has(kind)]
    if len(named) != 1:
        raise InvalidInput("a read request names one of 'objects', 'samples' and 'epoch'.")
    request = kinds[named[0]](fields)
    fields.done()
    return request


def parse_source(value: object) -> Source:
    """A source; InvalidInput."""
    fields = Fields(value, "the source")
    if fields.has("parts"):
        return _joined(fields)
    view = fields.maybe_text("view") or ""
    source = Source(
        dataset="" if view else fields.text("dataset"),
        version="" if view else fields.text("version", "latest"),
        view=view,
        operations=tuple(_operation(each) for each in fields.items("operations", [])),
        digest=fields.maybe_text("digest") or "",
    )
    fields.done()
    return source


def _joined(fields: Fields) -> Source:
    """Several sources; parts of parts are refused."""
    told, digest = fields.items("parts"), fields.maybe_text("digest") or ""
    fields.done()
    if not 0 < len(told) <= PARTS_ELSEWHERE_MAX:
        raise InvalidInput(f"parts are 1 to {PARTS_ELSEWHERE_MAX} sources, not {len(told)}.")
    if any(isinstance(each, dict) and "parts" in each for each in told):
        raise InvalidInput("a part has no parts of its own.")
    return Source(digest=digest, parts=tuple(parse_source(each) for each in told))


def _objects(fields: Fields) -> ReadRequest:
    groups = tuple(_keys(each) for each in fields.items("objects"))
    skip_bytes = fields.whole("skip_bytes", 0)
    return ReadObjects(groups, fields.whole("skip", 0), skip_bytes, fields.flag("unchecked", False))


def _keys(value: object) -> Keys:
    fields = Fields(value, "an entry of objects")
    bucket, keys = fields.text("bucket"), tuple(fields.texts("keys"))
    ids = tuple(fields.items("version_ids", []))
    if not all(each is None or isinstance(each, str) for each in ids) or (ids and len(ids) != len(keys)):
        raise InvalidInput("version_ids are texts or nulls, one for each key.")
    fields.done()
    return Keys(bucket, keys, ids if any(ids) else ())


def _samples(fields: Fields) -> ReadRequest:
    source = parse_source(fields.take("samples"))
    rows = tuple(argument.whole("each of rows", row, low=0) for row in fields.items("rows"))
    return ReadSamples(
        source,
        rows,
        fields.flag("columns", True),
        fields.whole("skip", 0),
        fields.flag("unchecked", False),
    )


def _epoch(fields: Fields) -> ReadRequest:
    source = parse_source(fields.take("epoch"))
    start = fields.items("from", [0, 0])
    if len(start) != 2:
        raise InvalidInput("from is an epoch and a position.")
    epochs = fields.take("epochs", 1)
    return ReadEpoch(
        source,
        batch_size=fields.whole("batch_size", low=1),
        seed=fields.maybe_whole("seed", high=U64_MAX),
        rank=fields.whole("rank", 0),
        world=fields.whole("world", 1, low=1),
        epoch=argument.whole("the epoch of from", start[0], low=0),
        position=argument.whole("the position of from", start[1], low=0),
        epochs=None if epochs is None else argument.whole("epochs", epochs, low=1),
        count=fields.maybe_whole("count"),
        columns=fields.flag("columns", True),
        skip=fields.whole("skip", 0),
        order=policy_of(fields.take("order")) if fields.has("order") else None,
        samples_per_epoch=fields.maybe_whole("samples_per_epoch", low=1, high=I63_MAX),
        remainder=fields.text("remainder", "exact"),
        joined=tuple(_joining(each) for each in _bounded(fields.items("joined", []))),
        unchecked=fields.flag("unchecked", False),
    )


def _bounded(joined: list[Any]) -> list[Any]:
    if len(joined) > JOINS_MAX:
        raise InvalidInput(f"at most {JOINS_MAX} sources join an epoch, not {len(joined)}.")
    return joined


def _joining(value: object) -> Joining:
    if not isinstance(value, list) or len(value) != 4:
        raise argument.wrong("each of joined", value, "[source, position, new, old]")
    numbers = (argument.whole("a number of joined", number, low=0) for number in value[1:])
    return Joining(parse_source(value[0]), *numbers)


def _operation(value: object) -> tuple[Any, ...]:
    if not isinstance(value, list) or not value or not isinstance(value[0], str):
        raise argument.wrong("each of operations", value, "a list that begins with the operation's name")
    return tuple(tuple(map(_scalar, each)) if isinstance(each, list) else _scalar(each) for each in value)


def _scalar(value: object) -> object:
    if isinstance(value, dict | list):
        raise argument.wrong(
            "an operation's argument", value, "a text, a number, true, false, null or a list of them"
        )
    return value
