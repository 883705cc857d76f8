"""What every command shares: which hub, and how to print.

``@with_session`` adds ``--hub`` and ``--json`` to a command and hands it a
:class:`Session`; the same two options before the command's name work too.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

import click

from maruhub.cli.output import Output

if TYPE_CHECKING:
    from maruhub.api import Hub

P = ParamSpec("P")
T = TypeVar("T")


class Session:
    """One run of one command.

    Args:
        context: Closes the hub at its end.
        hub_path: The hub that was named, or None: the nearest one from here upwards.
        as_json: Print JSON.
    """

    def __init__(self, context: click.Context, *, hub_path: Path | None, as_json: bool) -> None:
        self.output = Output(as_json=as_json)
        self._context = context
        self._hub_path = hub_path

    def hub(self, *, accept_loss: bool = False) -> Hub:
        """The hub of this command, open until the command ends.

        Never opened as read-only by wish: a command that only reads must still be able to
        bring a hub back whose writer was killed. Where nothing can be written it is read.
        """
        from maruhub.api import connect, find_hub

        path = self._hub_path if self._hub_path is not None else find_hub(Path.cwd())
        hub = connect(path, accept_loss=accept_loss)
        self._context.call_on_close(hub.close)
        for problem in hub.pool.recovered.problems if hub.pool.recovered else ():
            self.output.note(f"Opening the hub: {problem}")
        return hub

    def exit(self, status: int) -> None:
        """Ends the command with a status, its output being complete."""
        self._context.exit(status)


def with_session(command: Callable[Concatenate[Session, P], T]) -> Callable[P, T]:
    """Adds the shared options; the command's first argument becomes its Session."""

    @click.option(
        "--hub", "hub_path", type=click.Path(path_type=Path), metavar="PATH", help="The hub's folder."
    )
    @click.option("--json", "as_json", is_flag=True, help="Print JSON.")
    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> T:
        context = click.get_current_context()
        before = context.find_root().params
        hub_path = kwargs.pop("hub_path") or before.get("hub_path")
        as_json = kwargs.pop("as_json") or before.get("as_json")
        session = Session(context, hub_path=_path(hub_path), as_json=bool(as_json))
        return command(session, *args, **kwargs)

    return wrapped


def _path(value: object) -> Path | None:
    return value if isinstance(value, Path) else None
