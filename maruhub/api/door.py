"""Opening and making hubs, and finding the one a person means.

Which engines stand behind a pool is ``compose``'s business.
"""

from __future__ import annotations

import os
import pwd
import socket
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, overload
from weakref import WeakValueDictionary

from maruhub import argument, compose, config
from maruhub.api.hub import Hub
from maruhub.errors import NoSuchHub, Unavailable

if TYPE_CHECKING:
    from maruhub.remote import RemoteHub

_arrived: Final[WeakValueDictionary[tuple[Path, bool, str], Hub]] = WeakValueDictionary()
_arriving = threading.Lock()


def _arrive_anew() -> None:
    """In a forked child: a thread of the parent may have held the lock."""
    global _arriving
    _arriving = threading.Lock()


os.register_at_fork(after_in_child=_arrive_anew)


@overload
def connect(
    path: str | os.PathLike[str], *, read_only: bool = False, accept_loss: bool = False, actor: str = ""
) -> Hub: ...
@overload
def connect(
    path: str,
    *,
    access_key: str,
    secret_key: str,
    ca: str | os.PathLike[str] | None = None,
    patience_s: float = 60.0,
) -> RemoteHub: ...
def connect(path: str | os.PathLike[str], **options: Any) -> Hub | RemoteHub:
    """Opens the hub in folder ``path``, or the one at an address ``http://…`` or ``https://…``.

    What an address gives has the same buckets, datasets, views and batches (see
    :class:`maruhub.remote.RemoteHub`); it takes the options of the second group.

    Args:
        path: The hub's folder, or its address.
        read_only: Never write: works on a medium that cannot be written.
        accept_loss: Open the hub although records are damaged in every copy, without them.
        actor: Who is at work, for histories; default ``user@host``.
        access_key: Who asks; default: what ``MARU_ACCESS_KEY`` says.
        secret_key: Its secret; default: what ``MARU_SECRET_KEY`` says.
        ca: A file of certificates to trust (PEM), instead of the system's.
        patience_s: Seconds for which a hub that doesn't answer is tried again.

    Raises:
        NoSuchHub: The path holds no hub.
        UnsupportedFormat: A newer release wrote it.
        Corrupt: Records of what the hub holds are damaged in every copy.
    """
    if isinstance(path, str) and path.startswith(("http://", "https://")):
        argument.options(_connect_remote, options)
        return _connect_remote(path, **options)
    argument.options(_connect_local, options)
    return _connect_local(path, **options)


def _connect_local(
    path: str | os.PathLike[str], *, read_only: bool = False, accept_loss: bool = False, actor: str = ""
) -> Hub:
    folder = Path(argument.path("path", path)).absolute()
    argument.text("actor", actor)
    pool = compose.open_pool(folder, read_only=read_only, accept_loss=accept_loss)
    return Hub(pool, folder, actor=actor or _actor())


def _connect_remote(
    url: str,
    *,
    access_key: str | None = None,
    secret_key: str | None = None,
    ca: str | os.PathLike[str] | None = None,
    patience_s: float = 60.0,
) -> RemoteHub:
    try:
        from maruhub.remote.credentials import Credentials
        from maruhub.remote.hub import RemoteHub
        from maruhub.remote.transport import Transport
    except ImportError as missing:
        raise Unavailable(
            f"a hub at an address needs {missing.name}, which is not installed.",
            hint="pip install 'maruhub[remote]'",
        ) from None
    credentials = Credentials(
        config.access_key() if access_key is None else argument.text("access_key", access_key),
        config.secret_key() if secret_key is None else argument.text("secret_key", secret_key),
    )
    trusted = None if ca is None else os.fspath(argument.path("ca", ca))
    return RemoteHub(Transport(url, credentials, ca=trusted, patience_s=patience_s))


def create(
    path: str | os.PathLike[str],
    *,
    blades: Sequence[str | os.PathLike[str]] | int | None = None,
    actor: str = "",
) -> Hub:
    """Makes a hub in folder ``path`` and opens it.

    Args:
        path: A new or empty folder.
        blades: A folder on each drive to store on; or how many folders to make inside
            ``path`` (they share its drive); default one.
        actor: As for ``connect``.

    Raises:
        AlreadyExists: There is a hub, or the folder is not empty.
    """
    folder = Path(argument.path("path", path)).absolute()
    argument.text("actor", actor)
    if blades is None or isinstance(blades, int):
        pool = compose.create_pool(folder, n=1 if blades is None else argument.whole("blades", blades, low=1))
    else:
        pool = compose.create_pool(folder, blades=_folders(blades))
    return Hub(pool, folder, actor=actor or _actor())


def adopt(path: str | os.PathLike[str], blades: Sequence[str | os.PathLike[str]], *, actor: str = "") -> Hub:
    """Makes a hub in folder ``path`` from the blades of one that is lost; opens it.

    Raises:
        Conflict: The blades belong to different pools.
        BladeLost: Too few of them are named.
    """
    folder = Path(argument.path("path", path)).absolute()
    argument.text("actor", actor)
    return Hub(compose.adopt(folder, _folders(blades)), folder, actor=actor or _actor())


def arrived(folder: Path, read_only: bool, actor: str) -> Hub:
    """A hub that came from another process; the same one as long as somebody here holds it.

    Frameworks hand a source over with each of thousands of tasks.
    """
    with _arriving:
        hub = _arrived.get((folder, read_only, actor))
        if hub is None or hub.closed:
            hub = _arrived[folder, read_only, actor] = connect(folder, read_only=read_only, actor=actor)
        return hub


def find_hub(start: Path) -> Path:
    """The nearest hub: ``start`` itself or a folder above it.

    Raises:
        NoSuchHub: Neither is one.
    """
    here = start.absolute()
    for folder in (here, *here.parents):
        if compose.is_hub(folder):
            return folder
    raise NoSuchHub(
        f"No hub in {here} nor in any folder above it.",
        hint="Name one with --hub PATH or MARU_HUB, or make one: maru init PATH",
    )


def _folders(blades: Iterable[str | os.PathLike[str]]) -> list[Path]:
    if isinstance(blades, str | bytes) or not isinstance(blades, Iterable):
        raise argument.wrong("blades", blades, "a number of folders to make, or a list of folders")
    return [Path(argument.path("each of blades", blade)).absolute() for blade in blades]


def _actor() -> str:
    """``user@host`` from the system, not from variables that anyone can set."""
    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"
