"""The data of the demo: scikit-learn's handwritten digits as files, as if someone had brought them.

Each image is 8 x 8 pixels of 17 grey levels (0 to 16). As a PNG a level v is the grey value
round(v * 255 / 16); ``pixels`` turns it back exactly, so a file is the image in its
original form.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from sklearn.datasets import load_digits

LEVELS = 16
HELD_BACK = 297
"""The last so many images arrive later, while a model is being trained."""


def write_images(now: Path, later: Path) -> tuple[int, int]:
    """Writes all 1,797 images, the last ones into ``later``; how many went where."""
    images = load_digits().images
    first = len(images) - HELD_BACK
    for number, image in enumerate(images):
        folder = now if number < first else later
        folder.mkdir(parents=True, exist_ok=True)
        grey = np.round(image * (255 / LEVELS)).astype(np.uint8)
        Image.fromarray(grey).save(folder / f"{number:04}.png")
    return first, HELD_BACK


def write_labels(now: Path, later: Path) -> None:
    """Writes which digit each image shows: a CSV for the first images, another for the rest."""
    digits = load_digits().target
    first = len(digits) - HELD_BACK
    for path, numbers in ((now, range(first)), (later, range(first, len(digits)))):
        with path.open("w", newline="") as file:
            table = csv.writer(file)
            table.writerow(["key", "digit"])
            table.writerows([f"{number:04}.png", int(digits[number])] for number in numbers)


def pixels(blobs: Sequence[memoryview]) -> npt.NDArray[np.float64]:
    """PNG files as ``float64[n, 64]`` between 0 and 1."""
    greys = np.stack([np.asarray(Image.open(io.BytesIO(blob))) for blob in blobs])
    return np.round(greys * (LEVELS / 255)).reshape(len(blobs), -1) / LEVELS
