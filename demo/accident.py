"""Two blades are destroyed while a model is trained, and what becomes of the data on them."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stage import Stage
from training import Place, Training

import maruhub

BUCKET = "digits"
EPOCH = 2
PATIENCE_S = 60.0


class Accident:
    """The accident of one demo, step by step.

    Args:
        stage: Tells it.
        hub: The hub's folder.
        originals: Folders of the files that the images came from.
    """

    def __init__(self, stage: Stage, hub: Path, originals: list[Path]) -> None:
        self.stage = stage
        self.hub_path = hub
        self.originals = originals
        with maruhub.connect(hub) as opened:
            self.lost, self.images = _worst_to_lose(opened)

    def strike(self, training: Training) -> Iterator[Place]:
        """Removes two blades in the middle of an epoch; a new process goes on with what is left."""
        stage, places = self.stage, training.start()
        training.watch(places, stage.show, until=lambda at: (at.epoch, at.batch * 3) > (EPOCH, at.batches))
        stage.shell("rm -rf " + " ".join(str(self.hub_path / "blades" / str(b.number)) for b in self.lost))
        _destroy(self.lost)
        for at in places:
            if (at.epoch, at.batch * 2) > (EPOCH, at.batches):
                stage.show(f"{at}: it trains on, with the files that it had open")
                stage.show(
                    f"killed (SIGKILL, status {training.kill()}): a new process cannot open them any more"
                )
                break
        self._epoch = training.epoch()
        self._survived = training.learned(self._epoch).total()
        places = training.start()
        stage.show(f"going on: {next(places)}, with the four blades that are left")
        return places

    def prove_epoch(self, training: Training, places: Iterator[Place], wanted: Counter[str]) -> None:
        """Watches the epoch end, and shows that it held each image once."""
        training.watch(places, self.stage.show, until=lambda at: at.epoch > self._epoch)
        seen = training.learned(self._epoch)
        assert seen == wanted, "an epoch must hold each sample once"
        rebuilt, rest = training.rebuilt[self._epoch], seen.total() - self._survived
        assert 0 < rebuilt <= rest, "images on lost blades must be computed from the others"
        self.stage.show(
            f"exact: {seen.total():,} images, each once; of the last {rest}, {rebuilt} were computed from other strips"
        )

    def repair(self) -> None:
        """Makes again what was lost, on the blades that are left, and compares every image."""
        stage = self.stage
        self._show_protection()
        stage.maru("care", "--once")
        with maruhub.connect(self.hub_path) as hub:
            _wait_until_safe(hub)
            images = _compare_all(hub, self.originals)
        self._show_protection()
        stage.show(f"{images:,} images compared with the files that they came from: none differs")

    def _show_protection(self) -> None:
        self.stage.python("hub.status().protection")
        with maruhub.connect(self.hub_path) as hub:
            self.stage.show(hub.status().protection)

    def replace(self, folder: Path) -> None:
        """Puts new blades in ``folder`` in the places of the lost ones."""
        for blade, name in zip(self.lost, ("new-a", "new-b"), strict=True):
            self.stage.maru("blade", "replace", str(blade.number), folder / name)
        self.stage.maru("care", "--once")


def _worst_to_lose(hub: Any) -> tuple[list[Any], int]:
    """The two blades on which the most images lie, by number, and how many those are."""
    layouts = {layout.segment: layout for layout in hub.store.layouts() if layout.strips}
    held: Counter[str] = Counter()
    for info in hub.bucket(BUCKET).list():
        segment, offset, length, _ = info.extents[0]
        if segment in layouts:
            strip = layouts[segment].range_of(offset, length).file
            held[layouts[segment].blades[strip].hex()] += 1
    worst = dict(held.most_common(2))
    return [blade for blade in hub.blades.list() if blade.id in worst], sum(worst.values())


def _destroy(blades: list[Any]) -> None:
    """Removes the blades' folders, even where somebody makes a file in one just then."""
    for blade in blades:
        while Path(blade.path).exists():
            shutil.rmtree(blade.path, ignore_errors=True)


def _wait_until_safe(hub: Any) -> None:
    """Returns when any two blades may fail again.

    What a process is writing at that moment is its own to make whole: it does so with its
    next write, and a training writes every few seconds; what it leaves is care's.
    """
    end = time.monotonic() + PATIENCE_S
    while (status := hub.status()).survives < 2:
        if time.monotonic() > end:
            raise SystemExit(f"still after {PATIENCE_S:g} s: {status.protection}")
        time.sleep(0.5)
        hub.care.once()


def _compare_all(hub: Any, originals: list[Path]) -> int:
    """Reads every image and compares it with the file that it came from; how many they are."""
    files = {path.name: path for folder in originals for path in folder.iterdir()}
    images = hub.bucket(BUCKET)
    assert set(images) == set(files), "images are missing"
    for key, image in images.items():
        assert bytes(image) == files[key].read_bytes(), f"{key} is not what it was"
    return len(files)
