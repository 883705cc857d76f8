"""Decoders: from a sample's bytes to what a model takes. One kind of bytes a file.

A decoder is a function of the bytes (a read-only memoryview, alive as long as it is referenced)
that any thread may call; these are frozen dataclasses, so that they can be handed to another
process. Any function will do in their place. What they raise is the sample's error, dealt with
as ``on_error`` says.

May use: libraries that decode, which are extras, imported when first used. Never here: names,
files, anything run out of what is read. Bytes are hostile: each says how large a result may
become.
"""

from __future__ import annotations

from maruhub.loaders.decoders.array import Array
from maruhub.loaders.decoders.audio import Audio, Sound
from maruhub.loaders.decoders.image import Image
from maruhub.loaders.decoders.raw import Raw
from maruhub.loaders.decoders.rows import Rows
from maruhub.loaders.decoders.text import Text

__all__ = ["Array", "Audio", "Image", "Raw", "Rows", "Sound", "Text"]
