"""``maru rescue``: every object out of the blades of a pool that no hub can open any more.

All of it is one file that also runs alone, ``tools/rescue.py``; a wheel carries it as
``rescue_alone.py`` in this folder. Nothing of the hub is used, and no hub is opened.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import click

from maruhub.cli import exits
from maruhub.cli.session import Session, with_session
from maruhub.errors import Corrupt, InvalidInput

_IN_A_WHEEL = Path(__file__).with_name("rescue_alone.py")
_IN_A_CHECKOUT = Path(__file__).parents[2] / "tools" / "rescue.py"


def load_alone() -> ModuleType:
    """The program that runs alone, as a module of its own."""
    name = "maruhub.cli.rescue_alone"
    if name not in sys.modules:
        path = _IN_A_WHEEL if _IN_A_WHEEL.exists() else _IN_A_CHECKOUT
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None, path
        assert spec.loader is not None, path
        sys.modules[name] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[name]


@click.command("rescue", short_help="Get every object out of blades alone, without hub or index.")
@click.argument("folders", nargs=-1, required=True, metavar="BLADE… OUT")
@click.option("--list", "listing", is_flag=True, help="List objects as CSV, read none; OUT isn't named.")
@click.option("--verify", is_flag=True, help="Read and verify, write nothing; OUT isn't named.")
@click.option("--bucket", help="Only objects of this bucket.")
@click.option("--prefix", default="", help="Only keys that begin with this.")
@click.option("--versions", is_flag=True, help="Hidden versions too, in OUT/%versions.")
@click.option("--datasets", is_flag=True, help="Dataset versions too, in OUT/%datasets.")
@click.option("--quiet", is_flag=True, help="No progress.")
@with_session
def rescue_command(
    session: Session,
    folders: tuple[str, ...],
    listing: bool,
    verify: bool,
    bucket: str | None,
    prefix: str,
    versions: bool,
    datasets: bool,
    quiet: bool,
) -> None:
    """Get every object out of the BLADEs of a pool, up to two of them missing, as OUT/BUCKET/KEY.

    OUT is a new or empty folder. Each object is checked against its SHA-256; what is damaged is
    named, and the command ends with status 9. The blades are only read.
    """
    alone = load_alone()
    out = None if listing or verify else folders[-1]
    blades = folders if out is None else folders[:-1]
    if not blades:
        raise InvalidInput("Only one folder is named.", hint="Name the blades, then a new folder.")
    options = alone.Options(
        blades=blades,
        out=out,
        bucket=bucket,
        prefix=prefix,
        listing=listing,
        versions=versions,
        datasets=datasets,
        as_json=session.output.as_json,
        quiet=quiet,
    )
    try:
        status = alone.Rescue(options, output=sys.stdout, messages=sys.stderr).run()
    except alone.Refused as wrong:
        raise InvalidInput(str(wrong)) from None
    if status:
        session.exit(exits.STATUS[Corrupt])
