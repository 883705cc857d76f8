"""What each extra installs beyond the hub's own packages, in MB, as far as this environment has it.

``PYTHON scripts/install_sizes.py`` with the Python of ``.venv`` or of one in ``.frameworks``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

Wanted = tuple[str, frozenset[str]]


def main() -> None:
    """Prints a line an extra, and first the hub's own."""
    hub = distribution("maruhub")
    own = installed(wanted_by(hub, None))
    assert own is not None
    print(f"maruhub: {sum(own.values()) / 1e6:,.0f} MB, {len(own)} packages")
    for extra in hub.metadata.get_all("Provides-Extra") or ():
        found = installed(wanted_by(hub, extra))
        if found is not None:
            more = {name: size for name, size in found.items() if name not in own}
            print(f"maruhub[{extra}]: {sum(more.values()) / 1e6:,.0f} MB, {len(more)} packages")


def wanted_by(package: Distribution, extra: str | None) -> list[Wanted]:
    """What an extra asks for, or the package without any."""
    found = map(Requirement, package.requires or ())
    return [(each.name, frozenset(each.extras)) for each in found if _belongs(each, extra)]


def _belongs(wanted: Requirement, extra: str | None) -> bool:
    always = wanted.marker is None or wanted.marker.evaluate({"extra": ""})
    if extra is None or always:
        return always and extra is None
    assert wanted.marker is not None
    return wanted.marker.evaluate({"extra": extra})


def installed(wanted: Iterable[Wanted]) -> dict[str, int] | None:
    """Bytes of these and all that they need, by name; None: something is not here."""
    sizes: dict[str, int] = {}
    todo, done = list(wanted), set[Wanted]()
    while todo:
        name, extras = todo.pop()
        if (name, extras) in done:
            continue
        done.add((name, extras))
        try:
            package = distribution(name)
        except PackageNotFoundError:
            return None
        if canonicalize_name(name) != "maruhub":
            sizes[canonicalize_name(name)] = size_bytes(package)
        for extra in (None, *extras):
            todo += wanted_by(package, extra)
    return sizes


def size_bytes(package: Distribution) -> int:
    """Of its files, as pip noted them."""
    total = 0
    for file in package.files or ():
        with contextlib.suppress(OSError):
            total += Path(file.locate()).stat().st_size
    return total


if __name__ == "__main__":
    main()
