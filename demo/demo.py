"""The whole life of training data in one hub, on real data, in about a minute.

Run it with ``make demo``. It works in ./demo-hub and touches nothing else.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from accident import EPOCH, Accident
from digits import write_images, write_labels
from model import Model
from stage import Stage, fresh_folder
from training import Training

import maruhub
from maruhub.errors import NotHeldOut

EPOCHS = 10
KILLED_IN = 2
MORE_EPOCHS = 6
TRIAL_EPOCHS = 20
SEED = 7
SETTINGS = ({"width": 8, "rate": 0.005}, {"width": 128, "rate": 0.005})


class Demo:
    """One run of the demo, in ``folder``; the trainer waits ``pace`` seconds after each batch."""

    def __init__(self, folder: Path, *, pace: float) -> None:
        self.folder = folder
        self.pace = pace
        self.hub_path = folder / "hub"
        self.stage = Stage(self.hub_path)

    def run(self) -> None:
        """All steps, in order."""
        self.make_hub()
        self.land()
        with maruhub.connect(self.hub_path) as hub:
            self.label(hub)
            settings = self.explore(hub)
            run, training = self.train(hub, settings)
        run, training = self.lose_two_blades(settings, run, training)
        with maruhub.connect(self.hub_path) as hub:
            self.evaluate(hub, settings, run, training)
        self.look()

    # ------------------------------------------------------------ 1, 2: a hub, and data in it

    def make_hub(self) -> None:
        stage = self.stage
        stage.step("A hub")
        stage.say("""A hub stores on blades: folders, one on each drive. Here are six blades, but they are six
            folders on one and the same drive, which is fine for trying things out and protects against nothing
            that happens to the drive. With six drives any two of them could fail.""")
        stage.maru("init", self.hub_path, "--blades", "6")
        stage.shell(f"export MARU_HUB={self.hub_path}    # so that every command knows which hub is meant")

    def land(self) -> None:
        stage, folder = self.stage, self.folder
        stage.step("Raw data arrives")
        now, later = write_images(folder / "incoming", folder / "arrivals")
        write_labels(folder / "labels.csv", folder / "labels-of-arrivals.csv")
        stage.say(f"""scikit-learn brings {now + later:,} real images of handwritten digits, 8 x 8 pixels in 17 grey
            levels. They were written as PNG files, one an image: {now:,} into {folder / "incoming"}, and {later}
            into {folder / "arrivals"}, which will arrive later. Nobody has packed or converted anything; the
            folder goes in as it is.""")
        stage.maru("ingest", folder / "incoming", "digits")
        stage.say("Once more. What is there already is not copied again:")
        again = stage.maru("ingest", folder / "incoming", "digits")
        assert again.startswith("0 objects stored"), again

    # ------------------------------------------------------------ 3: labels, later

    def label(self, hub: Any) -> None:
        stage, folder = self.stage, self.folder
        stage.step("Labels arrive later")
        stage.say("""A version of a dataset freezes what lies in a bucket now. It names exact bytes and copies none of
            them. The labels come afterwards, as a CSV with the columns key and digit, and are joined as a change
            of metadata: the next version.""")
        stage.maru("commit", "digits", "digits", "-m", "as they arrived")
        before = _addresses(hub)
        stage.maru("label", "digits", folder / "labels.csv", "-m", "who read them")
        assert _addresses(hub) == before
        images = sum(len(view) for view in hub.bucket("digits").values())
        stage.say(f"""That was all that was written: the {images:,} bytes of the images are where they were, each at
            the address that it had before (compared just now, all {len(before):,} of them).""")
        stage.maru(
            "sql", "select digit, count(*) as images from digits group by digit order by digit limit 3"
        )

    # ------------------------------------------------------------ 4: a split, a subset to explore on

    def explore(self, hub: Any) -> dict[str, Any]:
        stage = self.stage
        stage.step("A version, its split, and a small subset to try things on")
        version = hub.dataset("digits").latest
        train, validation, test = (version.split(name) for name in ("train", "validation", "test"))
        small = train.sample(300, seed=1)
        stage.say("""Which split an image belongs to follows from its name and a key that the hub was made with, so it
            stays there for ever, in every later version too.""")
        stage.python(
            f'hub = maruhub.connect("{self.hub_path}")',
            'version = hub.dataset("digits").latest',
            'train = version.split("train")',
            "small = train.sample(300, seed=1)",
        )
        stage.show(
            f"{version.name}: train {len(train):,}, validation {len(validation)}, test {len(test)}; small {len(small)}"
        )
        stage.say("Two settings are tried on the small subset and compared on the validation split:")
        scores = [self._trial(hub, small, validation, settings) for settings in SETTINGS]
        best = SETTINGS[int(np.argmax(scores))]
        stage.show(f"the better one: {best}")
        return best

    def _trial(self, hub: Any, small: Any, validation: Any, settings: dict[str, Any]) -> float:
        model = Model(**settings)
        with hub.run(small, name="trial", code="demo/model.py", parameters=settings, seed=SEED) as run:
            for batch in small.batches(32, seed=SEED, epochs=TRIAL_EPOCHS, run=run):
                model.learn(batch)
        score = hub.evaluate(run, validation, {"accuracy": model.accuracy(validation)})
        self.stage.show(f"{settings}: {score}")
        return float(score.metrics["accuracy"])

    # ------------------------------------------------------------ 5, 6: training, killed and resumed; new data

    def train(self, hub: Any, settings: dict[str, Any]) -> tuple[str, Training]:
        stage = self.stage
        stage.step("Training, killed in the middle of an epoch, and resumed exactly")
        version = hub.dataset("digits").latest
        train = version.split("train")
        run = self._start_run(hub, "full", version, settings)
        stage.say(f"""Now on all {len(train):,} training images, {EPOCHS} epochs in true random order, in a process of its own
            (demo/train.py). It saves the model's state and the loader's every few batches.""")
        stage.python(
            "batches = train.batches(32, seed=7, run=run)",
            "for batch in batches:",
            "    model.learn(batch)                  # batch.ids, batch.blobs, batch.columns",
            "    state = batches.state_dict()        # small, JSON; batches.load_state_dict(state) goes on there",
        )
        training = self._training("training", version, run, settings | {"epochs": EPOCHS, "pace": self.pace})
        for place in training.start():
            if place.epoch == KILLED_IN and place.batch > place.batches // 2:
                stage.show(f"{place}: killed (SIGKILL, status {training.kill()})")
                break
        epoch = training.epoch()
        survived = training.learned(epoch).total()
        stage.say(f"""Its last checkpoint knows {survived} of the {len(train):,} images of that epoch. What it learned after
            that died with it and comes again; nothing else does.""")
        places = training.start()
        stage.show(f"going on: {next(places)}")
        self._more_data(hub, training, version)
        training.watch(places, stage.show)
        self._prove_epoch(train, training, epoch, before=survived)
        return run, training

    def _more_data(self, hub: Any, training: Training, version: Any) -> None:
        stage = self.stage
        stage.step("New images and labels land while it trains")
        stage.maru("ingest", self.folder / "arrivals", "digits")
        stage.maru("commit", "digits", "digits", "-m", "more images")
        stage.maru("label", "digits", self.folder / "labels-of-arrivals.csv", "-m", "and their labels")
        still = "still training, undisturbed," if training.runs else "done by now,"
        stage.say(f"""Meanwhile the trainer was {still} on {version.name}: a version never changes. The new images take
            part in {hub.dataset("digits").latest.name}.""")

    def _prove_epoch(self, train: Any, training: Training, epoch: int, *, before: int) -> None:
        seen = training.learned(epoch)
        assert seen == Counter(train.ids()), "an epoch must hold each sample once"
        self.stage.say(f"""The proof, from the diary that the trainer kept of every image it learned from: in epoch
            {epoch}, {before} images before the kill and {seen.total() - before} after it, {seen.total():,} in
            all, {len(seen):,} different ones: exactly those of the training split, each once.""")

    # ------------------------------------------------------------ 7: two blades are lost meanwhile

    def lose_two_blades(
        self, settings: dict[str, Any], parent: str, before: Training
    ) -> tuple[str, Training]:
        """Goes on with the weights on the newest version, in which the new images take part."""
        stage, folder = self.stage, self.folder
        stage.step("Two blades are destroyed while it trains")
        stage.say("""What arrives is written three times, on three blades, before it is acknowledged. Later, care packs
            it into strips, four of data and two of parity, each on another blade: that takes less room, and still
            any two blades may fail.""")
        stage.maru("care", "--once")
        with maruhub.connect(self.hub_path) as hub:
            latest = hub.dataset("digits").latest
            wanted = Counter(latest.split("train").ids())
            run = self._start_run(hub, "more data", latest, settings, parents=[parent])
        accident = Accident(stage, self.hub_path, [folder / "incoming", folder / "arrivals"])
        gained = wanted.total() - before.learned(1).total()
        stage.say(f"""The training goes on for {MORE_EPOCHS} epochs on {latest.name}, whose training split has {gained}
            images more. In the middle of epoch {EPOCH}, two blades are removed with all that is on them: those on
            which the most images lie, {accident.images:,} of the {len(latest):,}.""")
        options = settings | {"epochs": MORE_EPOCHS, "start-from": before.checkpoint, "pace": self.pace}
        training = self._training("training-more", latest, run, options)
        places = accident.strike(training)
        accident.prove_epoch(training, places, wanted)
        stage.say("""Nothing is lost, but one more lost blade might be one too many. So care makes again what was on
            the two, on the four that are left: two strips of data and two of parity now.""")
        accident.repair()
        stage.say(
            "New drives take the places of the lost ones, and care spreads the data over six blades again:"
        )
        accident.replace(folder)
        training.watch(places, stage.show)
        return run, training

    def _start_run(self, hub: Any, name: str, version: Any, settings: dict[str, Any], **options: Any) -> str:
        train = version.split("train")
        run = hub.run(train, name=name, code="demo/train.py", parameters=settings, seed=SEED, **options)
        return str(run.id)

    def _training(self, name: str, version: Any, run: str, options: dict[str, Any]) -> Training:
        words = [str(self.hub_path), f"digits@{version.name}", run]
        return Training(self.folder / name, words, {"seed": SEED, **options})

    # ------------------------------------------------------------ 8: an honest score

    def evaluate(self, hub: Any, settings: dict[str, Any], run: str, training: Training) -> None:
        stage = self.stage
        stage.step("An honest score")
        version = hub.dataset("digits").latest
        test = version.split("test")
        model = Model(**settings)
        model.load(training.weights())
        stage.say("""The hub has recorded what this run has read, and the run whose weights it began with. Neither has
            read one of the test images:""")
        stage.python('hub.evaluate(run, version.split("test"), {"accuracy": accuracy})')
        score = hub.evaluate(run, test, {"accuracy": model.accuracy(test)})
        assert score.held_out
        stage.show(str(score))
        self._peek(hub, version, test, model)
        stage.say("All runs, and how they scored:")
        stage.maru("runs")

    def _peek(self, hub: Any, version: Any, test: Any, model: Model) -> None:
        stage = self.stage
        stage.say("Someone trains on everything, the test images too, and wants the same words for it:")
        stage.python(
            'with hub.run(version, name="peeking") as run:',
            "    for batch in version.batches(32, run=run): ...",
            'hub.evaluate(run, version.split("test"), {"accuracy": 0.999})',
        )
        with hub.run(version, name="peeking", code="demo/demo.py", seed=SEED) as peeking:
            for batch in version.batches(32, seed=SEED, run=peeking):
                model.learn(batch)
        try:
            hub.evaluate(peeking, test, {"accuracy": model.accuracy(test)})
        except NotHeldOut as refused:
            stage.show(f"NotHeldOut: {refused}")
        else:
            raise AssertionError("a leaked score was accepted")

    # ------------------------------------------------------------ 9: how it stands

    def look(self) -> None:
        stage = self.stage
        stage.step("How the hub stands")
        stage.say("""The images are tiny, so that what takes room here is mostly records about them. The speed is
            measured now: warm is from memory, cold from the drive; each plain file is opened, read and closed.""")
        stage.maru("status", "--speed")
        stage.say("At last every byte on every blade, parity too, is read and compared with its checksum:")
        stage.maru("scrub")


def _addresses(hub: Any) -> dict[str, Any]:
    """Where each image's bytes are."""
    return {info.key: info.extents for info in hub.bucket("digits").list()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path("demo-hub"))
    parser.add_argument("--pace", type=float, default=0.025, help="seconds to wait after each batch")
    options = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr] - so that a pipe sees it as it happens
    started = time.monotonic()
    folder = fresh_folder(options.folder)
    Demo(folder, pace=options.pace).run()
    seconds = time.monotonic() - started
    print(f"\nDone in {seconds:.0f} seconds. The hub stays in {folder / 'hub'}; look around:\n")
    print(f"  export MARU_HUB={folder / 'hub'}")
    for words in ("ls digits | head", "show digits", "diff digits@v2", "history digits/0000.png"):
        print(f"  .venv/bin/maru {words}")
    print("  .venv/bin/maru cp -r maru://digits out\n")
    print("The same objects over HTTP, for whatever speaks S3 or for maruhub.connect elsewhere:\n")
    print("  .venv/bin/maru key create me --admin")
    print("  .venv/bin/maru serve\n")
    print(f"make demo again makes it anew; rm -r {folder} removes it.")


if __name__ == "__main__":
    main()
