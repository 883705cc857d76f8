"""Calls on runs: what trains elsewhere is recorded here, so that its scores may be called held-out."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from maruhub import argument
from maruhub.errors import InvalidInput, NotFound, Refused
from maruhub.gateway.batch.calls.claims import parse_claim
from maruhub.gateway.batch.fields import Fields
from maruhub.gateway.batch.opened.sources import DATASET, Sources
from maruhub.gateway.batch.request import parse_source
from maruhub.gateway.batch.rights import Allowed, require
from maruhub.gateway.need import ADMIN, TRAIN, Need
from maruhub.lab.info import RunInfo, check_end, check_name, check_parameters
from maruhub.lab.ledger import no_such_run
from maruhub.lab.row import encode_number, number_of

if TYPE_CHECKING:
    from maruhub.api.hub import Hub
    from maruhub.catalog import View

_ID: Final = re.compile(r"[0-9a-f]{20}")
_WRITER: Final = re.compile(r"[0-9a-f]{16}")
PAGE_MAX: Final = 1000
POINTS_MAX: Final = 4096


def start(hub: Hub, fields: Fields, allowed: Allowed) -> dict[str, Any]:
    """Starts a run over a view that was saved. Its id is the client's, so that it can be sent again."""
    told = Fields(fields.take("run"), "the run")
    fields.done()
    id, name, digest = told.text("id"), check_name(told.text("name")), told.text("view")
    if not _ID.fullmatch(id):
        raise InvalidInput("a run's id is 20 hex digits.")
    view = _view(hub, digest, allowed)
    info = RunInfo(
        id=id,
        name=name,
        view=digest,
        dataset=view.dataset_name,
        version=view.version_name,
        split=view.is_split,
        samples=len(view),
        code=told.text("code", ""),
        parameters=check_parameters(argument.mapping("parameters of the run", told.take("parameters", {}))),
        seed=told.whole("seed", 0, low=-(1 << 63)),
        parents=_parents(hub, told.texts("parents", []), _reader(fields, allowed)),
        started_us=told.whole("started_us"),
        actor=hub.namespace.actor,
    )
    told.done()
    return _told(hub.lab.ledger.start(info))


def page(hub: Hub, fields: Fields, allowed: Allowed) -> list[dict[str, Any]]:
    """Runs whose ids begin so, behind one of them; of those that the caller may know of."""
    beginning, after = fields.text("beginning", ""), fields.text("after", "")
    limit = fields.whole("limit", PAGE_MAX, low=1, high=PAGE_MAX)
    fields.done()
    require(allowed, "s3:ListBucket", DATASET)
    may_know = _reader(fields, allowed)
    behind = (info for info in hub.lab.ledger.infos(beginning) if info.id > after and may_know(info))
    return [_told(info) for info in islice(behind, limit)]


def end(hub: Hub, fields: Fields, allowed: Allowed) -> None:
    """Ends a run of the caller's."""
    run = _own(hub, fields, allowed)
    state, reason = check_end(fields.text("state")), fields.text("reason", "")
    fields.done()
    hub.lab.ledger.end(run, state, reason)


def claim(hub: Hub, fields: Fields, allowed: Allowed) -> None:
    """Puts a recorder's claim in the place of its last one."""
    run, recorder = _own(hub, fields, allowed), _writer(fields.text("recorder"))
    told = parse_claim(fields.take("claim"))
    fields.done()
    view = _view(hub, told.view, allowed)
    if told.reads.size != len(view):
        raise InvalidInput(f"the view {told.view} has {len(view)} samples, not {told.reads.size}.")
    hub.lab.ledger.claim(run, recorder, told)


def claims(hub: Hub, fields: Fields, allowed: Allowed) -> list[dict[str, Any]]:
    """What a run claims to have read."""
    run = _readable(hub, fields, allowed)
    return [each.payload() for each in hub.lab.ledger.claims(run)]


def add_points(hub: Hub, fields: Fields, allowed: Allowed) -> None:
    """A chunk of metrics of a run of the caller's."""
    run, writer = _own(hub, fields, allowed), _writer(fields.text("writer"))
    number, points = fields.whole("number", high=(1 << 32) - 1), fields.items("points")
    fields.done()
    if len(points) > POINTS_MAX:
        raise InvalidInput(f"a chunk of metrics has at most {POINTS_MAX} points.")
    hub.lab.ledger.add_points(run, writer, number, [_point(point) for point in points])


def points(hub: Hub, fields: Fields, allowed: Allowed) -> list[Any]:
    """A run's metrics."""
    return list(hub.lab.ledger.points(_readable(hub, fields, allowed)))


def scores(hub: Hub, fields: Fields, allowed: Allowed) -> list[dict[str, Any]]:
    """Scores of a run, or of all; of those runs that the caller may know of."""
    run = fields.text("run", "")
    fields.done()
    require(allowed, "s3:ListBucket", DATASET)
    may_know = _reader(fields, allowed)

    @cache
    def shown(run: str) -> bool:
        info = hub.lab.ledger.info(run)
        return info is not None and may_know(info)

    return [score.to_json() for score in hub.lab.ledger.scores(run) if shown(score.run)]


class Evaluations:
    """Scores, on sources that are opened once."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def evaluate(self, hub: Hub, fields: Fields, allowed: Allowed) -> dict[str, Any]:
        """Records what a run of the caller's reached; NotHeldOut."""
        run, source = _own(hub, fields, allowed), parse_source(fields.take("source"))
        metrics = argument.mapping("metrics", fields.take("metrics"))
        allow_leak = fields.flag("allow_leak", False)
        fields.done()
        view = self._sources.open(source, allowed)
        require(allowed, TRAIN, DATASET, f"{view.dataset_name}/{view.version_name}/")
        name_read = allowed(Need(ADMIN))  # what was read may be of a dataset that others can't read
        return hub.lab.evaluate(run, view, metrics, allow_leak=allow_leak, name_read=name_read).to_json()


def _view(hub: Hub, digest: str, allowed: Allowed) -> View:
    """A view that was saved, which the caller may train on."""
    try:
        view = hub.view(digest)
    except NotFound:
        require(allowed, ADMIN)  # others aren't told what there is
        raise
    require(allowed, TRAIN, DATASET, f"{view.dataset_name}/{view.version_name}/")
    return view


def _own(hub: Hub, fields: Fields, allowed: Allowed) -> str:
    """The id of the run that is named, which the caller started; an admin may name anybody's."""
    run = fields.text("run")
    info = hub.lab.ledger.info(run)
    if info is None or not fields.owner or info.actor != fields.owner:
        require(allowed, ADMIN)
    if info is None:
        raise no_such_run(run)
    return run


def _readable(hub: Hub, fields: Fields, allowed: Allowed) -> str:
    run = fields.text("run")
    fields.done()
    require(allowed, "s3:ListBucket", DATASET)
    info = hub.lab.ledger.info(run)
    if info is None or not _reader(fields, allowed)(info):
        require(allowed, ADMIN)
    return run


def _reader(fields: Fields, allowed: Allowed) -> Callable[[RunInfo], bool]:
    """Whether the caller may know of a run: their own, or over a version that they may read."""

    @cache
    def may_read(dataset: str, version: str) -> bool:
        return allowed(Need("s3:GetObject", DATASET, f"{dataset}/{version}/")) or allowed(Need(ADMIN))

    def may_know(info: RunInfo) -> bool:
        own = bool(fields.owner) and info.actor == fields.owner
        return own or may_read(info.dataset, info.version)

    return may_know


def _parents(hub: Hub, named: list[str], may_know: Callable[[RunInfo], bool]) -> list[str]:
    """What a model began with; Refused for a run that the caller may not know of."""
    for name in named:
        info = hub.lab.ledger.info(name)
        if info is not None and not may_know(info):
            raise Refused(
                f"this key may not begin with the run {name}.",
                hint="It takes s3:GetObject on the version that the run trained on.",
            )
    return named


def _told(info: RunInfo) -> dict[str, Any]:
    return {name: getattr(info, name) for name in info.__dataclass_fields__}


def _writer(text: str) -> str:
    if not _WRITER.fullmatch(text):
        raise InvalidInput("who writes of a run is named by 16 hex digits.")
    return text


def _point(point: object) -> tuple[int, dict[str, float | str]]:
    if not isinstance(point, list) or len(point) != 2:
        raise InvalidInput("a point is [step, metrics].")
    step, values = point
    named = argument.mapping("the metrics of a point", values)
    return argument.whole("a step", step), {
        str(name): _number(str(name), value) for name, value in named.items()
    }


def _number(name: str, value: object) -> float | str:
    """A number, or the name of one that JSON has no word for."""
    named = {"nan": float("nan"), "inf": float("inf"), "-inf": float("-inf")}
    return encode_number(number_of(name, named.get(value, value) if isinstance(value, str) else value))
