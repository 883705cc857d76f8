"""``maru runs``, ``maru evaluate``: what was trained, and how good it is."""

from __future__ import annotations

from typing import Any

import click

from maruhub.cli.output import time_text
from maruhub.cli.session import Session, with_session
from maruhub.errors import InvalidInput


@click.command("runs", short_help="List runs, or show one.")
@click.argument("run", required=False)
@with_session
def runs_command(session: Session, run: str | None) -> None:
    """List all runs, or show RUN with its parameters, metrics and scores."""
    hub = session.hub()
    if run is not None:
        session.output.record(hub.runs.get(run).to_json())
        return
    rows = [one.to_json() for one in hub.runs.all()]
    for row in rows:
        row["started"] = time_text(row["started_us"])
        row["score"] = _last(row["scores"])
    headings = {"id": "run", "name": "name", "version": "trained on", "state": "state", "started": "started"}
    headings["score"] = "last score"
    session.output.table(
        rows, headings, empty="No runs. A training records itself: with hub.run(view, name=…)"
    )


def _last(scores: list[dict[str, Any]]) -> str:
    if not scores:
        return ""
    figures = ", ".join(f"{name} {value:.4g}" for name, value in scores[-1]["metrics"].items())
    return f"{figures} ({scores[-1]['verdict']})"


@click.command("evaluate", short_help="Record a score on held-out samples.")
@click.argument("run")
@click.argument("version", metavar="DATASET[@VERSION]")
@click.option(
    "--split",
    "part",
    type=click.Choice(["train", "validation", "test", "all"]),
    default="test",
    show_default=True,
    help="Which side of the split.",
)
@click.option("--group", help="The column that the split keeps together.")
@click.option("--where", help="Only samples for which this SQL expression holds.")
@click.option(
    "--metric", "metrics", multiple=True, required=True, metavar="NAME=NUMBER", help="A figure measured."
)
@click.option(
    "--allow-leak", is_flag=True, help="Keep the score even if it is not held-out; it is marked so."
)
@with_session
def evaluate_command(
    session: Session,
    run: str,
    version: str,
    part: str,
    group: str | None,
    where: str | None,
    metrics: tuple[str, ...],
    allow_leak: bool,
) -> None:
    """Record metrics of RUN on a split of DATASET, if the run has seen none of its samples.

    The hub refuses (exit status 6) to call a score held-out when the run, or what it was
    made from, has read one of these samples.
    """
    hub = session.hub()
    view = hub.version(version)
    chosen = view if part == "all" else view.split(part, None, group)
    score = hub.evaluate(
        run, chosen if where is None else chosen.where(where), _metrics(metrics), allow_leak=allow_leak
    )
    session.output.record(score.to_json(), str(score))


def _metrics(pairs: tuple[str, ...]) -> dict[str, float]:
    try:
        return {name: float(number) for name, number in (pair.split("=", 1) for pair in pairs)}
    except ValueError:
        raise InvalidInput(
            f"--metric {' '.join(pairs)} is not understood.", hint="Write --metric accuracy=0.97"
        ) from None
