"""One page over all results: what was to be reached, what was, and why where it was not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.harness import spread
from benchmarks.machine import machine_line
from benchmarks.report import number, reached_table

_HEAD = """# Benchmarks

What MaruHub does on one machine, beside plain files, `cp` and fio on the same drive, and over HTTP
beside nginx, SeaweedFS, rclone, Ceph's gateway and iperf3 on the same loopback, and beside the
loaders that people train with. This page is made by `make bench` from `benchmarks/results/`, where
each benchmark leaves its table, its plot and every single figure as JSON. Run it on your own
drives: it takes about an hour, thirty gigabytes (four of them others' loaders, installed once into
`build/peers`), and root where caches are to be dropped. `make bench ARGS="--quick"` tries that
all of it runs, `make bench ARGS="warm_reads ingest"` measures just those.

## How it is measured

- Both sides run **in turns in one run**, each round beginning with another side. A ratio is taken
  in every round, and the **median of the ratios** is what counts: machines drift, and drives that
  are shared drift by half. In brackets: the lowest and the highest round. In plots a thin line
  shows the rounds, of 20 and more the middle nine tenths.
- **Verified** means that every byte returned is summed in that very call and compared. Views are
  the same reads without it.
- **Cold** means that before each lap the files' pages are dropped on both sides, and the kernel's
  page, inode and entry caches with them; data of more than 2 GB (reads with blades lost: of a
  gigabyte). fio reads the same segment files, random places, the samples' sizes, past the page cache.
- **Lost** means that a blade's folder is moved away: two of six, the pair that holds nearest to a
  third of the objects. All blades lie on one drive here, so a rebuild has the speed of one.
- **Durable** means that a put returned: its bytes and its name survive a loss of power.
- Client and hub are on the same machine, in one process unless a line says otherwise. 50 KiB are
  51,200 bytes, 50 KB are 50,000; mixed sizes are 1 KB to 5 MB, equally likely by their logarithm.
- **HTTP** servers run with the settings they come with, unless a line says otherwise, all at the same
  time, and are asked one after the other by the same client, which shares the cores with them. A
  server that is not on the machine is left out, and named; `make bench` gets all but Ceph by itself.
- **Loaders** run each in a process of its own, in the environment of `benchmarks/peers/*.txt`, and hand
  out batches of 64 undecoded samples: what is measured is reading, not Pillow. What they read is made
  by their own writers from the same plain files. The first eight bytes of a sample are its number, so
  each one's order is read off what it handed out: **shuffle** is how much more the classes of a batch
  vary than in a true shuffle (1), on data stored class by class. In brackets stands what each gives: *true*, all samples in
  random order; *chunks* or *blocks*, of a few shards at a time; *buffer*, of the next thousand.
- Every benchmark runs in a fresh process and a fresh folder, with an allocator that keeps freed
  memory: else the luck of the heap's layout decides what a plain file's buffer costs.
"""


def write(results: list[dict[str, Any]], profiles: Mapping[str, str]) -> str:
    """The page for these results; ``profiles[name]`` says where a benchmark's time goes."""
    parts = [_HEAD, "## The machine", ""]
    parts += [f"- {line}" for line in dict.fromkeys(_machine(result) for result in results)]
    if any(result["quick"] for result in results):
        parts += ["", "These are results of a **quick run**: too small to mean anything."]
    parts += ["", *_falls_short(results)]
    for result in results:
        parts += _section(result, profiles.get(result["name"], ""))
    return "\n".join(parts)


def _machine(result: dict[str, Any]) -> str:
    return f"{machine_line(result['machine'])} ({result['date']})."


def _falls_short(results: list[dict[str, Any]]) -> list[str]:
    """What was to be reached and was not, before anything else."""
    aims = [one for result in results for one in (*result["comparisons"], *result["limits"])]
    aims = [one for one in aims if one["reached"] is not None]
    short = [_short(one) for one in aims if not one["reached"]]
    count = f"{len(aims) - len(short)} of {len(aims)} figures to reach were reached."
    rows = ["What was not:", "", *(f"- {line}" for line in short), ""] if short else []
    return ["## Reached and not reached", "", count, "", *rows]


def _short(one: dict[str, Any]) -> str:
    if "median" in one:
        return (
            f"{one['title']}: {one['ours']} ÷ {one['peer']} **{one['median']:.2f} ×**, "
            f"to reach {one['at_least']:g} ×."
        )
    return f"{one['title']}: **{number(one['value'])} {one['unit']}**, to reach {number(one['at_most'])}."


def _section(result: dict[str, Any], profile: str) -> list[str]:
    parts = [f"## {result['title']}", "", result["about"], "", *reached_table(result)]
    for group in result["groups"]:
        better = ", less is better" if group["better"] == "lower" else ""
        parts += [f"| {group['title']} | {group['unit']}{better} |", "|---|--:|"]
        parts += [f"| {name} | {number(spread(values)[1])} |" for name, values in group["sides"].items()]
        parts += [""]
    parts += [*(f"- {note}" for note in result["notes"]), ""]
    if profile:
        parts += [f"**Where the time goes.** {' '.join(profile.split())}", ""]
    name = result["name"]
    return [*parts, f"Rounds, plot and raw figures: `benchmarks/results/{name}.md`, `.png`, `.json`.", ""]
