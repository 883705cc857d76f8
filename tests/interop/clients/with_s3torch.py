"""What AWS's S3 connector for PyTorch does of an everyday round: it writes, lists and reads.

It neither copies nor deletes, so it writes what the others end with.
"""

from __future__ import annotations

import everyday
import torch
from everyday import BUCKET, ENDING, LARGE, RANGES, data, same
from s3torchconnector import (
    S3Checkpoint,
    S3ClientConfig,
    S3IterableDataset,
    S3MapDataset,
    S3ReaderConstructor,
)

HERE = f"s3://{BUCKET}"
PLACE = {
    "region": everyday.REGION,
    "endpoint": everyday.ENDPOINT,
    "s3client_config": S3ClientConfig(force_path_style=True, part_size=everyday.PART_BYTES),
}


def upload(checkpoint: S3Checkpoint) -> None:
    def put(key: str) -> None:
        with checkpoint.writer(f"{HERE}/{key}") as file:
            file.write(data(ENDING[key]))

    everyday.each(put, ENDING)


def reads() -> None:
    dataset = S3MapDataset.from_prefix(f"{HERE}/", **PLACE, transform=lambda item: (item.key, item.read()))
    same(len(dataset), len(ENDING), "listing")
    for key, blob in (dataset[number] for number in range(len(dataset))):
        same(blob == data(ENDING[key]), True, key)
    loader = torch.utils.data.DataLoader(
        S3IterableDataset.from_prefix(f"{HERE}/small/", **PLACE, transform=lambda item: len(item.read())),
        batch_size=None,
    )
    small = [key for key in ENDING if key.startswith("small/")]
    same(sum(loader), sum(len(data(key)) for key in small), "bytes through a loader")
    ranged = S3ReaderConstructor.range_based(buffer_size=1 << 16)
    (large,) = S3MapDataset.from_objects([f"{HERE}/{LARGE}"], **PLACE, reader_constructor=ranged)
    for start, end in RANGES:
        large.seek(start)
        same(large.read(end - start), data(LARGE)[start:end], f"bytes {start} to {end}")


def checkpoints(checkpoint: S3Checkpoint) -> None:
    model = torch.nn.Linear(1000, 1000)
    with checkpoint.writer(f"{HERE}/model.pt") as file:
        torch.save(model.state_dict(), file)
    with checkpoint.reader(f"{HERE}/model.pt") as file:
        same(torch.equal(torch.load(file)["weight"], model.weight), True, "weights")


def main() -> None:
    checkpoint = S3Checkpoint(**PLACE)
    upload(checkpoint)
    reads()
    checkpoints(checkpoint)


if __name__ == "__main__":
    main()
