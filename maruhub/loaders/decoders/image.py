"""Images: Pillow for all that it knows, libjpeg-turbo for JPEG where simplejpeg is installed."""

from __future__ import annotations

import functools
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from maruhub import argument
from maruhub.errors import InvalidData, InvalidInput

Mode = Literal["RGB", "L"]
_JPEG: Final = b"\xff\xd8\xff"
_COLOURS: Final = {"RGB": "RGB", "L": "GRAY"}


@dataclass(frozen=True, slots=True)
class Image:
    """``uint8[height, width, 3]``, or ``uint8[height, width]`` in mode ``L``.

    The pixels are as they are stored: what EXIF says of turning is not done.

    Args:
        mode: ``RGB`` or ``L`` (grey).
        max_pixels: Larger images are refused before they are decoded.
    """

    mode: Mode = "RGB"
    max_pixels: int = 1 << 26

    def __post_init__(self) -> None:
        if self.mode not in _COLOURS:
            raise argument.wrong("mode", self.mode, "'RGB' or 'L'")
        argument.whole("max_pixels", self.max_pixels, low=1)
        _pillow_open()  # told here, once, and not as each sample's error

    def __call__(self, blob: memoryview) -> npt.NDArray[np.uint8]:
        """The pixels; InvalidData where it is no image, or not whole, or too large."""
        fast = _simplejpeg() if bytes(blob[:3]) == _JPEG else None
        return self._pillow(blob) if fast is None else self._jpeg(fast, blob)

    def _jpeg(self, fast: Any, blob: memoryview) -> npt.NDArray[np.uint8]:
        try:
            height, width, space, _ = fast.decode_jpeg_header(blob)
            self._check(width, height)
            if space in {"CMYK", "YCCK"}:
                return self._pillow(blob)
            pixels: npt.NDArray[np.uint8] = fast.decode_jpeg(blob, colorspace=_COLOURS[self.mode])
        except ValueError as error:
            raise InvalidData(f"it is no whole JPEG: {error}") from error
        return pixels[:, :, 0] if self.mode == "L" else pixels

    def _pillow(self, blob: memoryview) -> npt.NDArray[np.uint8]:
        open_image = _pillow_open()
        try:
            with open_image(io.BytesIO(blob)) as image:
                self._check(*image.size)
                return np.asarray(image.convert(self.mode))
        except (OSError, ValueError, SyntaxError, EOFError) as error:
            raise InvalidData(f"it is no whole image: {error}") from error

    def _check(self, width: int, height: int) -> None:
        if width * height > self.max_pixels:
            raise InvalidData(f"the image has {width} × {height} pixels.", hint="Raise max_pixels of Image.")


@functools.cache
def _simplejpeg() -> Any | None:
    try:
        import simplejpeg
    except ImportError:
        return None
    return simplejpeg


@functools.cache
def _pillow_open() -> Callable[..., Any]:
    try:
        import PIL.Image
    except ImportError as error:
        raise InvalidInput("images need Pillow.", hint="pip install 'maruhub[image]'") from error
    return PIL.Image.open
