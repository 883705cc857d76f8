"""The ways to read that loaders are compared in; in brackets the kind of shuffle each gives."""

from __future__ import annotations

from benchmarks.peers.process import Side

HUB = Side("hub: in process (true)", "hub", "", "hub")
UNCHECKED = Side("hub: in process, sums not checked (true)", "hub", "", "hub", checked=False)
DOOR = Side("hub: batch door, loopback (true)", "door", "", "hub")
FILES = Side("files: one thread (true)", "plain", "", "files")
SIXTEEN = Side("files: 16 threads (true)", "plain", "", "files", threads=16)
GRAIN = Side("ArrayRecord, Grain (true)", "grain_records", "torch", "ArrayRecord")
LMDB = Side("LMDB (true)", "lmdb_records", "torch", "LMDB")
HUB_TWO = Side("hub: DataLoader, 2 workers (true)", "torch_hub", "torch", "hub", workers=2)
FILES_TWO = Side("files: DataLoader, 2 workers (true)", "torch_plain", "torch", "files", workers=2)
LMDB_TWO = Side("LMDB, 2 workers (true)", "torch_lmdb", "torch", "LMDB", workers=2)
TF_HUB = Side("hub: to_tf_dataset (true)", "tf_hub", "tensorflow", "hub")
TF_FLAT = Side("hub: to_tf_dataset, flat (true)", "tf_hub_flat", "tensorflow", "hub")
TF_GENERATOR = Side("hub: from_generator, single samples (true)", "tf_generator", "tensorflow", "hub")
ONE_PROCESS = (
    HUB,
    UNCHECKED,
    Side("hub: DataLoader, 0 workers (true)", "torch_hub", "torch", "hub"),
    DOOR,
    FILES,
    SIXTEEN,
    Side("files: DataLoader, 0 workers (true)", "torch_plain", "torch", "files"),
    Side("files: tf.data (true)", "tf_files", "tensorflow", "files"),
    Side("WebDataset (buffer)", "web_dataset", "torch", "WebDataset"),
    Side("MosaicML Streaming (blocks)", "mosaic", "torch", "MosaicML Streaming"),
    Side("LitData (chunks)", "lit_data", "torch", "LitData", keeps=True),
    Side("Lance take (true)", "lance_take", "torch", "Lance"),
    GRAIN,
    LMDB,
    Side("Hugging Face (true)", "hugging_face", "torch", "Hugging Face"),
    Side("tf.data, TFRecord (buffer)", "tf_records", "tensorflow", "TFRecord"),
)
TWO_WORKERS = (
    HUB_TWO,
    FILES_TWO,
    Side("WebDataset, 2 workers (buffer)", "web_dataset", "torch", "WebDataset", workers=2),
    Side("MosaicML Streaming, 2 workers (blocks)", "mosaic", "torch", "MosaicML Streaming", workers=2),
    Side("LitData, 2 workers (chunks)", "lit_data", "torch", "LitData", workers=2, keeps=True),
    LMDB_TWO,
    Side("Hugging Face, 2 workers (true)", "hugging_face", "torch", "Hugging Face", workers=2),
)
OWN_STORES = ("hub", "files")
"""What needs no packing: everything else is a packed copy."""
