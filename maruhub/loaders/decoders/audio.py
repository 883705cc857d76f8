"""Sound, by libsndfile: WAV, FLAC, Ogg, MP3 and what else it knows."""

from __future__ import annotations

import functools
import io
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy.typing as npt

from maruhub import argument
from maruhub.errors import InvalidData, InvalidInput


class Sound(NamedTuple):
    """``samples``: ``dtype[frames, channels]``; ``rate``: frames a second."""

    samples: npt.NDArray[Any]
    rate: int


@dataclass(frozen=True, slots=True)
class Audio:
    """A :class:`Sound`.

    Args:
        dtype: ``float32`` or ``float64`` within -1 … 1, or ``int16``, ``int32``.
        max_samples: More frames times channels are refused before they are decoded.
    """

    dtype: Literal["float32", "float64", "int16", "int32"] = "float32"
    max_samples: int = 1 << 28

    def __post_init__(self) -> None:
        if self.dtype not in {"float32", "float64", "int16", "int32"}:
            raise argument.wrong("dtype", self.dtype, "float32, float64, int16 or int32")
        argument.whole("max_samples", self.max_samples, low=1)
        _soundfile()  # told here, once, and not as each sample's error

    def __call__(self, blob: memoryview) -> Sound:
        """The sound; InvalidData where it is none, or longer than it may be."""
        soundfile = _soundfile()
        try:
            with soundfile.SoundFile(io.BytesIO(blob)) as file:
                count = file.frames * file.channels
                if not 0 <= count <= self.max_samples:
                    raise InvalidData(
                        f"the sound has {file.frames} frames of {file.channels} channels.",
                        hint="Raise max_samples of Audio.",
                    )
                return Sound(file.read(dtype=self.dtype, always_2d=True), file.samplerate)
        except (soundfile.SoundFileError, ValueError) as error:
            raise InvalidData(f"it is no sound: {error}") from error


@functools.cache
def _soundfile() -> Any:
    try:
        import soundfile
    except ImportError as error:
        raise InvalidInput("sound needs soundfile.", hint="pip install 'maruhub[audio]'") from error
    return soundfile
