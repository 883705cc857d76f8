"""``maru serve``: the doors over HTTP, until it is told to stop."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Final

import click

from maruhub.cli.session import Session, with_session
from maruhub.errors import Unavailable

_PACKAGES: Final = (
    "awscrt",
    "cryptography",
    "defusedxml",
    "granian",
    "prometheus_client",
    "python_multipart",
)
"""What the extra ``serve`` brings and serving can't do without."""


@click.command("serve", short_help="Serve buckets and datasets over HTTP: S3 and batches.")
@click.option("--listen", default="127.0.0.1:9000", show_default=True, metavar="HOST:PORT", help="Where.")
@click.option("--workers", type=click.IntRange(0), default=0, help="Processes; default one a core.")
@click.option("--tls-cert", type=click.Path(path_type=Path), help="Certificate chain (PEM); serves HTTPS.")
@click.option("--tls-key", type=click.Path(path_type=Path), help="Its private key (PEM).")
@click.option(
    "--host", "hosts", multiple=True, metavar="NAME", help="Base name: BUCKET.NAME is a bucket; repeatable."
)
@click.option(
    "--access-log", default="", metavar="FILE", help="A line of JSON a request; - is standard output."
)
@click.option("--no-care", is_flag=True, help="Leave sealing, repair and expiry to `maru care`.")
@with_session
def serve_command(
    session: Session,
    *,
    listen: str,
    workers: int,
    tls_cert: Path | None,
    tls_key: Path | None,
    hosts: tuple[str, ...],
    access_log: str,
    no_care: bool,
) -> None:
    """Serve the hub over HTTP: S3 for whatever speaks it, batches for training.

    Requests are signed with keys of `maru key create`. SIGHUP replaces the workers without a
    failed request, SIGTERM and Ctrl-C end the server behind the requests it is at.
    """
    _require_packages()
    from maruhub.gateway.serve.options import ServeOptions, listen_address
    from maruhub.gateway.serve.supervisor import Supervisor
    from maruhub.gateway.serve.telemetry.sharing import shared_folder

    host, port = listen_address(listen)
    hub = session.hub()
    path = hub.path
    # The workers open it themselves; opening it here brought it up to date, and found mistakes.
    hub.close()
    options = ServeOptions(
        hub=path,
        host=host,
        port=port,
        workers=workers,
        tls_cert=tls_cert,
        tls_key=tls_key,
        base_hosts=hosts,
        access_log=access_log,
        care=not no_care,
    )
    with shared_folder() as metrics:
        supervisor = Supervisor(options, metrics, session.output.note)
        if session.output.as_json:
            session.output.record({"url": supervisor.address, "hub": str(path)})
        supervisor.run()


def _require_packages() -> None:
    """Before a worker would fail for want of one, out of sight. Raises Unavailable."""
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise Unavailable(
            f"serving needs packages that are not installed: {', '.join(missing)}.",
            hint="Install them: pip install 'maruhub[serve]', in a checkout '.[serve]'",
        )
