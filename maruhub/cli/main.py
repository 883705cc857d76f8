"""The command ``maru``: finds the command's file, runs it, turns errors into statuses.

A command's file is imported only when that command runs, so ``maru ls`` does not pay for
what ``maru sql`` needs. Nothing here knows what a command does.
"""

from __future__ import annotations

import contextlib
import importlib
import signal
import sys
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import click

from maruhub import __version__
from maruhub.cli import exits
from maruhub.cli.failure import Failure
from maruhub.cli.standard_output import told_output

_Listing = dict[str, tuple[str, str]]

COMMANDS: Final[dict[str, _Listing]] = {
    "A hub": {
        "init": ("hubs", "Make a hub in a folder, or adopt one from its blades."),
        "status": ("hubs", "Show what the hub holds, how safe and how fast it is."),
        "check": ("hubs", "Read and verify everything; rebuild the index."),
        "rescue": ("rescue", "Get every object out of blades alone, without hub or index."),
    },
    "Care": {
        "care": ("care", "Seal, repair, balance, free: what is to be done, now or for ever."),
        "repair": ("care", "Make lost and damaged strips again."),
        "scrub": ("care", "Read every byte and parity; put right what is rotten."),
        "balance": ("care", "Empty draining blades; fill all others evenly."),
        "compact": ("care", "Free the room of what nothing names any more."),
        "gc": ("gc", "Remove for good what was deleted and whose delay is over."),
        "lifecycle": ("lifecycle", "Expire what the lifecycle rules of buckets say is over."),
        "retain": ("gc", "Let nobody remove a bucket, dataset or version until a date."),
        "blade": ("blades", "List, add, drain, remove and replace blades."),
    },
    "Doors": {
        "serve": ("serve", "Serve buckets and datasets over HTTP: S3 and batches."),
    },
    "Access over HTTP": {
        "key": ("access", "Issue, list, disable, rotate and delete access keys."),
        "user": ("access", "List users; give them policies."),
        "quota": ("usage", "Bound how much a bucket or a user may hold."),
        "chown": ("access", "Give a bucket to a user."),
    },
    "Objects": {
        "ingest": ("ingest", "Bring files, archives or tables in."),
        "ls": ("objects", "List buckets, folders and objects."),
        "cp": ("copying", "Copy in, out, or inside the hub (by reference)."),
        "cat": ("objects", "Write objects to standard output."),
        "stat": ("objects", "Show all that is known of an object."),
        "rm": ("objects", "Delete objects (restorable for a time)."),
        "undelete": ("objects", "Bring back a deleted or overwritten object."),
        "history": ("objects", "Show who did what to a key, and when."),
        "du": ("usage", "Show how much buckets and their owners hold."),
        "mb": ("buckets", "Make a bucket."),
        "rb": ("buckets", "Remove an empty bucket."),
    },
    "Datasets": {
        "commit": ("datasets", "Freeze objects as a new version of a dataset."),
        "label": ("labels", "Join labels from a table as a new version."),
        "versions": ("datasets", "List datasets, or the versions of one."),
        "show": ("datasets", "Show a version: columns, counts, first samples."),
        "diff": ("datasets", "Compare two versions."),
        "tag": ("datasets", "Give a version a name."),
        "drop": ("datasets", "Drop a version."),
        "sql": ("sql", "Ask a question in SQL; datasets are tables."),
    },
    "Training": {
        "runs": ("lab", "List runs, or show one."),
        "evaluate": ("lab", "Record a score on held-out samples."),
    },
}
"""Section → command → (file in maruhub/cli, line of help)."""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in the order of the table."""
        return [name for listing in COMMANDS.values() for name in listing]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Imports the command's file."""
        for listing in COMMANDS.values():
            if cmd_name in listing:
                module = importlib.import_module(f"maruhub.cli.{listing[cmd_name][0]}")
                command: click.Command = getattr(module, f"{cmd_name}_command")
                return command
        return None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the table without importing anything."""
        for section, listing in COMMANDS.items():
            with formatter.section(section):
                formatter.write_dl([(name, line) for name, (_, line) in listing.items()])


@click.group(
    cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="maru", message="%(prog)s %(version)s")
@click.option(
    "--hub",
    "hub_path",
    envvar="MARU_HUB",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="The hub's folder; else MARU_HUB; else the nearest hub from here upwards.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--debug", envvar="MARU_DEBUG", is_flag=True, help="Show where an error arose (or MARU_DEBUG=1)."
)
def maru(hub_path: Path | None, as_json: bool, debug: bool) -> None:
    """MaruHub: one hub for training data, one copy of the bytes.

    Objects are named maru://BUCKET/KEY, versions of datasets NAME@latest, NAME@v3 or
    NAME@TAG, what a version holds maru://dataset/NAME/v3/BUCKET/KEY. Every command takes
    --hub PATH and --json.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs ``maru`` with ``arguments`` (default: the process's) to its exit status."""
    argv = list(sys.argv[1:] if arguments is None else arguments)
    failure = Failure(as_json="--json" in argv[: argv.index("--")] if "--" in argv else "--json" in argv)
    with told_output(), _ending_on_sigterm():
        _tolerant_streams()
        status = failure.guard(lambda: _invoke(argv))
        return failure.guard(lambda: _flush(status))


def _invoke(argv: list[str]) -> int:
    with maru.make_context("maru", argv) as context:
        try:
            maru.invoke(context)
        except Exception:
            if context.params.get("debug"):
                traceback.print_exc()
            raise
    return exits.DONE


def _flush(status: int) -> int:
    sys.stdout.flush()
    return status


@contextlib.contextmanager
def _ending_on_sigterm() -> Iterator[None]:
    """SIGTERM ends like Ctrl-C does: files closed, half-done work dropped."""
    try:
        before = signal.signal(signal.SIGTERM, _terminate)
    except ValueError:  # not the main thread, whose business signals are
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _terminate(number: int, frame: object) -> None:
    raise SystemExit(128 + number)


def _tolerant_streams() -> None:
    """A terminal that cannot show a letter shows its escape instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
