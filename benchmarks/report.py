"""Results for people: a table in Markdown and a plot, both made from the JSON alone."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

from benchmarks.harness import spread
from benchmarks.machine import machine_line

_OURS, _PEER, _RANGE = "#1f6f8b", "#b9b4a8", "#333333"
_BANDS = ("#f4f1ea", "#ffffff")
_LINES = ("#1f6f8b", "#d1793b", "#5b8c5a", "#8b5e83", "#555555")


def write(folder: Path, result: dict[str, Any]) -> None:
    """``NAME.json``, ``NAME.md`` and ``NAME.png``."""
    folder.mkdir(parents=True, exist_ok=True)
    name = result["name"]
    (folder / f"{name}.json").write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    (folder / f"{name}.md").write_text(markdown(result))
    plot(result, folder / f"{name}.png")


def markdown(result: dict[str, Any]) -> str:
    """The table of one result."""
    quick = " (quick: too small to mean anything)" if result["quick"] else ""
    parts = [f"# {result['title']}{quick}", "", result["about"], ""]
    parts += reached_table(result)
    for group in result["groups"]:
        parts += _group_table(group)
    for curve in result["curves"]:
        parts += _curve_table(curve)
    parts += [*(f"- {note}" for note in result["notes"]), ""]
    parts += [
        f"Machine: {machine_line(result['machine'])}.",
        "",
        f"![{result['title']}]({result['name']}.png)",
        "",
    ]
    return "\n".join(parts)


def reached_table(result: dict[str, Any]) -> list[str]:
    """What was to be reached, and whether it was."""
    rows = [
        f"| {one['title']}: {one['ours']} ÷ {one['peer']} | {one['median']:.2f} × "
        f"({min(one['ratios']):.2f}–{max(one['ratios']):.2f}) | {_aim(one['at_least'], '≥ {:g} ×')} "
        f"| {_answer(one['reached'])} |"
        for one in result["comparisons"]
    ]
    rows += [
        f"| {one['title']} | {number(one['value'])} {one['unit']} | ≤ {number(one['at_most'])} {one['unit']} "
        f"| {_answer(one['reached'])} |"
        for one in result["limits"]
    ]
    if not rows:
        return []
    return ["| figure | median (rounds) | to reach | reached |", "|---|---|---|---|", *rows, ""]


def _aim(value: float | None, form: str) -> str:
    return "reported" if value is None else form.format(value)


def _answer(reached: bool | None) -> str:
    return "–" if reached is None else "yes" if reached else "**no**"


def _group_table(group: dict[str, Any]) -> list[str]:
    rows = []
    for name, values in group["sides"].items():
        low, median, high = spread(values)
        rows.append(f"| {name} | {number(median)} | {number(low)} | {number(high)} |")
    rounds = len(next(iter(group["sides"].values())))
    times = "one round" if rounds == 1 else f"{rounds} rounds"
    head = f"| {group['title']}, {group['unit']}, {times} | median | lowest | highest |"
    return [head, "|---|--:|--:|--:|", *rows, ""]


def _curve_table(curve: dict[str, Any]) -> list[str]:
    """Ten points a line at most."""
    parts = []
    for name, points in curve["lines"].items():
        step = max(1, -(-len(points) // 10))
        some = points[::step] if (len(points) - 1) % step == 0 else [*points[::step], points[-1]]
        parts += [
            f"| {curve['title']}: {name} |" + " | ".join(number(x) for x, _ in some) + " |",
            "|---|" + "--:|" * len(some),
            f"| {curve['y_label']} |" + " | ".join(number(y) for _, y in some) + " |",
            "",
        ]
    return parts


def number(value: float) -> str:
    """Three digits that count, thousands parted."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def plot(result: dict[str, Any], path: Path) -> None:
    """Bars a group, lines a curve, one below the other."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    heights = [0.9 + 0.42 * len(group["sides"]) for group in result["groups"]]
    heights += [3.2] * len(result["curves"])
    if not heights:
        return
    figure, axes = pyplot.subplots(
        len(heights),
        1,
        figsize=(9.5, sum(heights) + 0.7),
        height_ratios=heights,
        squeeze=False,
        layout="constrained",
    )
    # Long labels begin at the edge otherwise.
    figure.get_layout_engine().set(w_pad=0.12, h_pad=0.08)
    panels = iter(axes[:, 0])
    for group in result["groups"]:
        _bars(next(panels), group, result["comparisons"])
    for curve in result["curves"]:
        _curve(next(panels), curve)
    quick = " – quick run" if result["quick"] else ""
    figure.suptitle(result["title"] + quick, fontsize=13, fontweight="bold", x=0.015, ha="left")
    figure.savefig(path, dpi=110, metadata={"Software": None})
    pyplot.close(figure)


def _bars(axes: Any, group: dict[str, Any], comparisons: list[dict[str, Any]]) -> None:
    """Medians, the rounds as a thin line, what is to be reached as a mark."""
    names = list(group["sides"])
    medians = {name: spread(values)[1] for name, values in group["sides"].items()}
    goals = [one for one in comparisons if one["title"] == group["title"] and one["at_least"]]
    marks: dict[str, float] = {}
    # Of several the farthest.
    farther = max if group["better"] == "higher" else min
    for one in goals:
        mark = _mark(group, medians[one["peer"]], one["at_least"])
        marks[one["ours"]] = farther(mark, marks.get(one["ours"], mark))
    top = max([*(_shown(values)[2] for values in group["sides"].values()), *marks.values()])
    for row, name in enumerate(names):
        low, median, high = _shown(group["sides"][name])
        axes.barh(row, median, color=_OURS if is_ours(name) else _PEER, height=0.62)
        axes.plot([low, high], [row, row], color=_RANGE, linewidth=1)
        if name in marks:
            axes.plot([marks[name]] * 2, [row - 0.42, row + 0.42], color="#c0392b", linewidth=2.2)
        # Beside the bar, unless the mark is in the way.
        at = marks[name] if name in marks and high <= marks[name] < high + top * 0.1 else high
        axes.text(at + top * 0.012, row, number(median), va="center", fontsize=9)
    axes.set_yticks(range(len(names)), names, fontsize=9)
    axes.set_ylim(len(names) - 0.45, -0.55)
    axes.set_xlim(0, top * 1.13)
    better = "" if group["better"] == "higher" else " (less is better)"
    mark = "  –  red: to reach" if marks else ""
    axes.set_title(f"{group['title']}: {group['unit']}{better}{mark}", fontsize=10, loc="left")
    _tidy(axes)
    axes.xaxis.set_major_formatter(lambda value, _: number(value))


def _shown(values: list[float]) -> tuple[float, float, float]:
    """Lowest, median, highest; of many rounds nine tenths, or one hiccup would flatten the bars."""
    odd = len(values) // 20
    low, _, high = spread(sorted(values)[odd : len(values) - odd])
    return low, spread(values)[1], high


def _mark(group: dict[str, Any], peer: float, at_least: float) -> float:
    return peer * at_least if group["better"] == "higher" else peer / at_least


def is_ours(name: str) -> bool:
    """Sides of the hub say so."""
    return name.startswith(("hub", "maru", "loader", "batch door"))


def _curve(axes: Any, curve: dict[str, Any]) -> None:
    phases = curve.get("phases")
    for colour, (name, points) in zip(_LINES, curve["lines"].items(), strict=False):
        xs, ys = zip(*points, strict=True)
        axes.plot(xs, ys, label=name, color=colour, marker="o" if len(points) < 12 else None, linewidth=1.8)
        if phases:
            axes.fill_between(xs, ys, color=colour, alpha=0.18, linewidth=0)
    if curve["log_x"]:
        axes.set_xscale("log")
    if curve.get("log_y"):
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(lambda value, _: number(value))
    else:
        top = max(y for points in curve["lines"].values() for _, y in points)
        axes.set_ylim(0, (1.4 if any(name for _, _, name in phases or ()) else 1.12) * top)
    if phases:
        _phases(axes, phases, next(iter(curve["lines"].values())))
        axes.yaxis.set_major_formatter(lambda value, _: number(value))
    axes.set_xlabel(curve["x_label"], fontsize=9)
    axes.set_ylabel(curve["y_label"], fontsize=9)
    axes.set_title(curve["title"], fontsize=10, loc="left")
    if len(curve["lines"]) > 1:
        axes.legend(fontsize=8, frameon=False)
    _tidy(axes)


def _phases(axes: Any, phases: list[list[Any]], points: list[list[float]]) -> None:
    """Stretches of time as bands; those with a name have it on top, and the line's median."""
    length = phases[-1][1] - phases[0][0]
    for row, (begin, end, name) in enumerate(phases):
        axes.axvspan(begin, end, color=_BANDS[row % len(_BANDS)], zorder=0, linewidth=0)
        inside = [y for x, y in points if begin <= x <= end]
        if not name or not inside:
            continue
        # About 110 letters of this size fit side by side.
        words = textwrap.fill(name, max(8, int(110 * (end - begin) / length)))
        place: dict[str, Any] = {
            "xy": ((begin + end) / 2, 0.97),
            "xycoords": ("data", "axes fraction"),
            "ha": "center",
        }
        axes.annotate(words, **place, va="top", fontsize=8.5, color=_RANGE, linespacing=1.25)
        place["xy"] = (place["xy"][0], 0.8)
        axes.annotate(number(spread(inside)[1]), **place, va="top", fontsize=10, color=_OURS, weight="bold")
    axes.set_xlim(phases[0][0], phases[-1][1])


def _tidy(axes: Any) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.grid(axis="both" if axes.get_legend() else "x", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=9)
