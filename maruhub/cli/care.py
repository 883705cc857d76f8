"""``maru care|repair|balance|compact|scrub``: what keeps a hub safe and small."""

from __future__ import annotations

import signal
import threading
from collections.abc import Collection
from typing import TYPE_CHECKING

import click

from maruhub.cli import exits
from maruhub.cli.output import count_text, size_text
from maruhub.cli.session import Session, with_session
from maruhub.errors import Corrupt, Unavailable

if TYPE_CHECKING:
    from maruhub.care.keeper import KeeperReport, Progress
    from maruhub.care.plan import Kind


@click.command("care", short_help="Seal, repair, balance, free: what is to be done, now or for ever.")
@click.option("--once", is_flag=True, help="End when nothing is left to do; also seals what is half full.")
@click.option(
    "--every", "every_s", type=click.FloatRange(0.1), default=10.0, show_default=True, help="Seconds."
)
@click.option(
    "--scrub-every",
    "scrub_days",
    type=click.FloatRange(0.0),
    default=30.0,
    show_default=True,
    help="Days from one scrub to the next.",
)
@with_session
def care_command(session: Session, once: bool, every_s: float, scrub_days: float) -> None:
    """Do what the hub needs: repair, drain, seal, widen, compact and balance.

    Without --once it goes on, looking every few seconds, until it is interrupted, and now
    and then scrubs while nothing else is to be done. One
    process takes care of a hub at a time; `maru status` shows how far it is.
    """
    if once:
        _once(session, None)
        return
    hub = session.hub()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    session.output.note("Taking care of the hub. Interrupt to stop.")
    hub.care.forever(stop, every_s=every_s, scrub_every_s=scrub_days * 86_400)


@click.command("repair", short_help="Make lost and damaged strips again.")
@with_session
def repair_command(session: Session) -> None:
    """Make again what lies on blades that are lost, and what is missing on those that answer."""
    from maruhub.care.plan import Kind

    _once(session, {Kind.REPAIR})


@click.command("balance", short_help="Empty draining blades; fill all others evenly.")
@with_session
def balance_command(session: Session) -> None:
    """Move strips away from blades that are being drained, and from full blades to emptier ones."""
    from maruhub.care.plan import Kind

    _once(session, {Kind.DRAIN, Kind.WIDEN, Kind.BALANCE})


@click.command("compact", short_help="Free the room of what nothing names any more.")
@with_session
def compact_command(session: Session) -> None:
    """Write segments anew that are much garbage, without it."""
    from maruhub.care.plan import Kind

    _once(session, {Kind.COMPACT})


@click.command("scrub", short_help="Read every byte and parity; put right what is rotten.")
@click.option("--history", "show_history", is_flag=True, help="Show the rounds that were, instead.")
@with_session
def scrub_command(session: Session, show_history: bool) -> None:
    """Read every byte on every blade, check it, and put right what is rotten.

    A round that was stopped goes on where it was.
    """
    hub = session.hub()
    if show_history:
        from maruhub.care.scrub import history

        rounds = [done.to_json() for done in history(hub.store)]
        columns = {
            "started": "started",
            "read": "read",
            "rotten": "rotten",
            "mended": "mended",
            "lost": "lost",
        }
        session.output.table([_shown_round(done) for done in rounds], columns, empty="No round yet.")
        return
    with session.output.progress("scrubbing", unit="bytes") as advance:
        done = hub.care.scrub(progress=advance)
    text = (
        f"Read {size_text(done.read_bytes)} in {count_text(done.segments, 'segment')}: "
        f"{done.rotten} wrong or missing, {done.mended} mended, {len(done.lost)} lost."
    )
    session.output.record(done.to_json(), "\n".join([text, *done.lost]))
    if done.lost:
        session.exit(exits.STATUS[Corrupt])


def _shown_round(fields: dict[str, object]) -> dict[str, object]:
    from maruhub.cli.output import time_text

    started, lost = fields["started_us"], fields["lost"]
    assert isinstance(started, int)
    assert isinstance(lost, list)
    return {**fields, "started": time_text(started), "read": fields["read_bytes"], "lost": len(lost)}


def _once(session: Session, kinds: Collection[Kind] | None) -> None:
    hub = session.hub()
    with session.output.progress("taking care", unit="bytes") as advance:

        def told(step: Progress) -> None:
            advance(step.done_bytes, step.total_bytes)

        report = hub.care.once(kinds, progress=told)
    session.output.record(report.to_json(), "\n".join(_lines(report)))
    if report.problems:
        session.exit(exits.STATUS[Unavailable])


def _lines(report: KeeperReport) -> list[str]:
    done = ", ".join(f"{kind} {count_text(number, 'segment')}" for kind, number in report.acts.items())
    lines = [f"Done: {done}." if done else "Nothing was to be done."]
    if done:
        lines.append(
            f"Read {size_text(report.read_bytes)}, wrote {size_text(report.written_bytes)}, "
            f"freed {size_text(report.freed_bytes)} in {report.seconds:.1f} s."
        )
    if report.expired:
        by_kind = ", ".join(count_text(number, kind) for kind, number in report.expired.items())
        lines.append(f"Expired by the rules of buckets: {by_kind}.")
    if report.strays:
        lines.append(f"Removed {count_text(report.strays, 'file')} that acts had left behind.")
    lines += [f"Later: {count_text(number, 'segment')}: {why}." for why, number in report.waiting.items()]
    return lines + [f"Problem: {problem}" for problem in report.problems]
