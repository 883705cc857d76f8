"""A dataset of a hub elsewhere."""

from __future__ import annotations

import base64
import datetime
from collections.abc import Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

from maruhub import argument
from maruhub.catalog.dropping import DELAY_S
from maruhub.catalog.name import LATEST, check_name, check_tag
from maruhub.remote.term import until_text
from maruhub.remote.view import RemoteVersion, RemoteView, version_info
from maruhub.wire.table import encode_table

if TYPE_CHECKING:
    import pyarrow as pa

    from maruhub.catalog.diff import Diff
    from maruhub.catalog.labels.joining import LabelReport
    from maruhub.catalog.labels.revision import LabelRevision
    from maruhub.catalog.split import SplitRule
    from maruhub.catalog.version import VersionInfo
    from maruhub.remote.hub import RemoteHub

_Version = str | int | RemoteView


class RemoteDataset:
    """As :class:`maruhub.catalog.Dataset`; what changes it needs an admin's key."""

    def __init__(self, hub: RemoteHub, name: str) -> None:
        self.name = check_name("dataset", name)
        self._hub = hub

    def __reduce__(self) -> tuple[Any, ...]:
        return RemoteDataset, (self._hub, self.name)

    def commit(
        self, source: str | Sequence[str] | None = None, message: str = "", *, allow_empty: bool = False
    ) -> RemoteVersion:
        """Freezes what lies below ``source`` as the next version; the latest one if nothing changed."""
        argument.text("message", message)
        listed = source if source is None or isinstance(source, str) else argument.texts("source", source)
        # Again after a lost answer it finds nothing new, and gives the same version.
        told = self._call("commit", source=listed, message=message, allow_empty=allow_empty)
        version = self._open(told["version"])
        version.is_new = told["is_new"]
        return version

    def label(
        self,
        source: str | PathLike[str] | pa.Table,
        *,
        name: str = "labels",
        by: str | None = None,
        types: Mapping[str, Any] | None = None,
        rename: Mapping[str, str] | None = None,
        message: str = "",
    ) -> LabelReport:
        """Joins labels to the latest version's samples, as the next version; files are read here."""
        from maruhub.catalog.labels.file import read_labels
        from maruhub.catalog.labels.joining import LabelReport

        labels = read_labels(source, by=by, types=types, rename=rename)
        table = labels.columns.add_column(0, labels.by, labels.keys)
        encoded = base64.b64encode(encode_table(table)).decode()
        told = self._call("label", table=encoded, name=name, by=labels.by, message=message)
        return LabelReport(**{**told, "version": self._open(told["version"])})

    def versions(self, *, dropped: bool = False) -> list[VersionInfo]:
        """All versions in order; dropped ones too if asked for."""
        return [version_info(told) for told in self._call("versions", dropped=dropped)["versions"]]

    def info(self, version: str | int = LATEST) -> VersionInfo:
        """What :meth:`versions` says of one version, dropped or not."""
        return version_info(self._call("info", version=_checked(version)))

    @property
    def exists(self) -> bool:
        """Whether it was ever committed."""
        return bool(self._call("versions")["exists"])

    @property
    def latest(self) -> RemoteVersion:
        """The highest version that is not dropped."""
        return self._open(LATEST)

    def __getitem__(self, version: str | int) -> RemoteVersion:
        """A version by ``v3``, 3, ``latest`` or a tag."""
        return self._open(_name(version))

    def tag(self, name: str, version: _Version = LATEST, *, move: bool = False) -> None:
        """Gives a version another name; AlreadyExists if the tag points elsewhere, unless ``move``."""
        self._call("tag", tag=check_tag(name), version=_checked(version), move=move)

    def untag(self, name: str) -> None:
        """Takes a tag away."""
        self._call("untag", tag=check_tag(name))

    def drop(self, version: _Version, *, delay_s: float = DELAY_S) -> None:
        """Hides a version; :meth:`undrop` brings it back until the delay is over."""
        self._call("drop", version=_checked(version), delay_s=delay_s)

    def undrop(self, version: str | int) -> RemoteVersion:
        """Brings a dropped version back."""
        return self._open(self._call("undrop", version=_checked(version)))

    def drop_all(self, *, delay_s: float = DELAY_S) -> list[str]:
        """Hides every version at once; the names of those that were not hidden before."""
        return list(self._call("drop_all", again=False, delay_s=delay_s))

    def undrop_all(self) -> list[str]:
        """Brings every dropped version back at once; their names."""
        return list(self._call("undrop_all", again=False))

    def retain(
        self,
        version: _Version | None = None,
        *,
        until: datetime.date | None = None,
        for_s: float | None = None,
    ) -> datetime.datetime:
        """Keeps a version, or the whole dataset, from being dropped; see :meth:`maruhub.catalog.Dataset.retain`."""
        told = self._call(
            "retain",
            version=None if version is None else _checked(version),
            until=until_text(until, for_s),
            for_s=for_s,
        )
        return datetime.datetime.fromisoformat(told)

    def diff(self, before: _Version, after: _Version = LATEST) -> Diff:
        """What differs between two versions (or views)."""
        from maruhub.catalog.diff import Diff
        from maruhub.wire.table import decode_table

        old, new = (
            each if isinstance(each, RemoteView) else self._open(_name(each)) for each in (before, after)
        )
        told = self._call("diff", before=old.expected_source(), after=new.expected_source())
        tables = {
            part: decode_table(base64.b64decode(told[part]))
            for part in ("added", "removed", "changed", "columns")
        }
        return Diff(before=told["before"], after=told["after"], **tables)

    def label_sets(self) -> list[LabelRevision]:
        """Every revision of every label set: who, when, from what."""
        from maruhub.catalog.labels.revision import LabelRevision

        told = self._call("label_sets")
        return [
            LabelRevision(**{**each, "created": datetime.datetime.fromisoformat(each["created"])})
            for each in told
        ]

    def set_split(
        self, fractions: Sequence[float] | None = None, group: str | None = None, *, replace: bool = False
    ) -> SplitRule:
        """Fixes how this dataset is split, for everybody; see :meth:`maruhub.catalog.Dataset.set_split`."""
        from maruhub.catalog.split import SplitRule

        given = None if fractions is None else list(fractions)
        told = self._call("set_split", fractions=given, group=group, replace=replace)
        return SplitRule(tuple(told["fractions"]), told["group"])

    def _call(self, what: str, *, again: bool = True, **arguments: Any) -> Any:
        return self._hub.transport.call(f"dataset.{what}", again=again, dataset=self.name, **arguments)

    def _open(self, version: str) -> RemoteVersion:
        """A version, held by its number from here on: ``latest`` and tags move."""
        version_ = RemoteVersion(self._hub, {"dataset": self.name, "version": version})
        version_.source["version"] = version_.version_name
        return version_


def _checked(version: object) -> str | int:
    if isinstance(version, RemoteView):
        return version.version_name
    if isinstance(version, bool) or not isinstance(version, str | int):
        raise argument.wrong("a version", version, "'v3', 3, 'latest' or a tag")
    return version


def _name(version: object) -> str:
    checked = _checked(version)
    return checked if isinstance(checked, str) else f"v{checked}"
