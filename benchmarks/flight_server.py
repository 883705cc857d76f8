"""An Arrow Flight server of samples that lie ready in its memory: ``python … FOLDER PORT BATCH``.

Its best case: every batch is an Arrow batch already, in the order in which it is asked for;
nothing is shuffled, looked up or summed.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.flight as flight


class SampleServer(flight.FlightServerBase):  # type: ignore[misc]
    def __init__(self, location: str, batches: list[pa.RecordBatch]) -> None:
        super().__init__(location)
        self._batches = batches

    def do_get(self, context: Any, ticket: Any) -> Any:
        return flight.GeneratorStream(self._batches[0].schema, iter(self._batches))


def main(folder: Path, port: int, size: int) -> None:
    blobs = [path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()]
    names = [str(i) for i in range(len(blobs))]
    batches = [
        pa.record_batch([pa.array(names[at : at + size]), pa.array(blobs[at : at + size])], ["id", "bytes"])
        for at in range(0, len(blobs), size)
    ]
    del blobs
    SampleServer(f"grpc://127.0.0.1:{port}", batches).serve()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
