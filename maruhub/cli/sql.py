"""``maru sql``: questions to datasets."""

from __future__ import annotations

import click

from maruhub.cli.session import Session, with_session


@click.command("sql", short_help="Ask a question in SQL; datasets are tables.")
@click.argument("query")
@with_session
def sql_command(session: Session, query: str) -> None:
    """Run QUERY (DuckDB's SQL) and print the answer.

    Datasets are tables: cats is the latest version, "cats@v3" in double quotes another.
    """
    answer = session.hub().sql(query)
    session.output.table(answer.to_pylist(), {name: name for name in answer.column_names}, empty="No rows.")
