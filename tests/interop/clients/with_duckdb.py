"""What DuckDB's httpfs does of an everyday round: it writes, lists and reads, whole and by ranges.

It neither copies nor deletes, so it writes what the others end with.
"""

from __future__ import annotations

from importlib.resources import files
from urllib.parse import urlsplit

import duckdb
import everyday
from everyday import BUCKET, CORPUS, ENDING, data, same

HERE = f"s3://{BUCKET}"


def connect() -> duckdb.DuckDBPyConnection:
    # The extension comes with a package: nothing is fetched while tests run.
    (extension,) = (files("duckdb_ext") / "extensions" / f"v{duckdb.__version__}").glob(
        "*/httpfs.duckdb_extension"
    )
    address = urlsplit(everyday.ENDPOINT)
    connection = duckdb.connect(config={"autoinstall_known_extensions": False, "threads": 4})
    connection.execute(f"LOAD '{extension}'")
    if everyday.CERTIFICATE:
        connection.execute(f"SET ca_cert_file = '{everyday.CERTIFICATE}'")
    connection.execute(
        f"""CREATE SECRET (TYPE s3, KEY_ID '{everyday.ACCESS_KEY}', SECRET '{everyday.SECRET_KEY}',
        REGION '{everyday.REGION}', ENDPOINT '{address.netloc}', URL_STYLE 'path',
        USE_SSL {address.scheme == "https"})"""
    )
    return connection


def upload(db: duckdb.DuckDBPyConnection) -> None:
    for key, file in ENDING.items():
        db.execute(f"COPY (SELECT content FROM read_blob('{CORPUS / file}')) TO '{HERE}/{key}' (FORMAT blob)")


def reads(db: duckdb.DuckDBPyConnection) -> None:
    found = db.execute(f"SELECT file FROM glob('{HERE}/**') ORDER BY file").fetchall()
    same(found, [(f"{HERE}/{key}",) for key in sorted(ENDING)], "glob")
    rows = db.execute(
        f"SELECT filename, content FROM read_blob('{HERE}/small/*') ORDER BY filename"
    ).fetchall()
    same(len(rows), len(ENDING) - 3, "blobs")
    for name, content in rows:
        key = name.removeprefix(f"{HERE}/")
        same(content == data(key), True, key)


def tables(db: duckdb.DuckDBPyConnection) -> None:
    """Parquet is written in parts, and read by ranges: the footer, then the columns asked for."""
    table = f"{HERE}/table.parquet"
    rows = "SELECT i, hash(i) AS h, md5(i::text) AS word FROM range(500_000) t(i)"
    db.execute(f"COPY ({rows}) TO '{table}' (ROW_GROUP_SIZE 50_000)")
    same(db.execute(f"SELECT sum(i) FROM '{table}' WHERE i >= 490_000").fetchone(), (4_949_995_000,), "sum")
    other = f"SELECT count(*) FROM ({rows}) JOIN '{table}' USING (i, h, word)"
    same(db.execute(other).fetchone(), (500_000,), "rows that are the same")


def main() -> None:
    db = connect()
    for step in (upload, reads, tables):
        step(db)


if __name__ == "__main__":
    main()
