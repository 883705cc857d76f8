"""Spark reads samples and labels as DataFrames, and MLlib trains on them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from pyspark.ml.classification import LogisticRegression
from pyspark.ml.functions import array_to_vector
from pyspark.sql import SparkSession
from pyspark.sql import functions as f

from maruhub.adapters.spark import register
from maruhub.api.hub import Hub
from tests.frameworks.samples import SAMPLES, pixels, run_guide


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    os.environ["PYSPARK_PYTHON"] = sys.executable
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    builder = SparkSession.builder.master("local[2]").appName("maruhub").config("spark.ui.enabled", "false")
    builder = builder.config("spark.driver.host", "127.0.0.1")
    session = builder.config("spark.sql.shuffle.partitions", "2").getOrCreate()
    register(session)
    yield session
    session.stop()


def read(spark: Any, hub: Hub, /, **options: str) -> Any:
    return spark.read.format("maruhub").options(**{"hub": str(hub.path), **options}).load()


def test_samples_and_labels_come_in_partitions(spark: Any, hub: Hub) -> None:
    frame = read(spark, hub, dataset="digits", partitionSamples="50")
    assert frame.columns == ["id", "bytes", "label", "weight"]
    assert frame.rdd.getNumPartitions() == 5
    rows = frame.orderBy("id").collect()
    assert [row.id for row in rows] == [f"digits-raw/{n:06}" for n in range(SAMPLES)]
    assert [bytes(row.bytes) for row in rows] == [pixels(n) for n in range(SAMPLES)]
    assert [row.label for row in rows] == [n % 10 for n in range(SAMPLES)]


def test_columns_splits_and_expressions_are_options(spark: Any, hub: Hub) -> None:
    view = hub.version("digits").split("train").where("label < 3")
    frame = read(spark, hub, dataset="digits@v2", split="train", where="label < 3", columns="label, id")
    assert frame.columns == ["label", "id"]
    assert sorted(row.id for row in frame.collect()) == sorted(view.ids())
    assert read(spark, hub, view=view.save().digest, columns="id").count() == len(view)
    assert read(spark, hub, dataset="digits", where="label > 99").count() == 0


def test_a_name_means_one_version_in_all_partitions(spark: Any, hub: Hub) -> None:
    frame = read(spark, hub, dataset="digits@v1", columns="id")
    hub.bucket("digits-raw").put("another", b"new")
    hub.dataset("digits").commit("digits-raw")
    assert frame.count() == SAMPLES
    assert read(spark, hub, dataset="digits", columns="id").count() == SAMPLES + 1


def test_wrong_options_are_told(spark: Any, hub: Hub) -> None:
    for options, words in (
        ({"dataset": "digits", "colour": "red"}, "colour"),
        ({}, "name a hub and a dataset"),
        ({"dataset": "digits", "columns": "id,breed"}, "breed"),
        ({"dataset": "dogs"}, "dogs"),
        ({"dataset": "digits", "hub": "hub"}, "whole path"),
    ):
        with pytest.raises(Exception, match=words):
            read(spark, hub, **options)


def test_mllib_learns_from_the_hub(spark: Any, hub: Hub) -> None:
    frame = read(spark, hub, dataset="digits", columns="bytes,label")
    to_pixels = f.udf(lambda data: [each / 255 for each in data[:64]], "array<double>")
    features = frame.select(array_to_vector(to_pixels("bytes")).alias("features"), "label").cache()
    model = LogisticRegression(maxIter=20).fit(features)
    right = model.transform(features).filter("prediction = label").count()
    assert right / SAMPLES > 0.95


def test_the_guide(spark: Any, hub: Hub) -> None:
    run_guide("spark.md")
