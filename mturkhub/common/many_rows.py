"""Writes to many rows at once, in statements that take no longer to make than to run."""

from collections.abc import Collection, Sequence

from django.db import connection, models, transaction
from psycopg2.extras import execute_values

# Rows in one statement.
PORTION = 1_000


def update_many(rows: Collection[models.Model], fields: Sequence[str]) -> None:
    """Write these fields of the rows, all of one model and each with its key `id`, as they stand.

    In place of QuerySet.bulk_update, which builds an expression for each field of each row. Values only. Raises DataError
    for a text too long for its column, where bulk_update would cut it off.
    """
    if not rows:
        return
    table = type(next(iter(rows)))._meta
    columns = {field.name: field for field in table.concrete_fields}
    written = [columns[name] for name in fields]
    names = [connection.ops.quote_name(str(field.column)) for field in written]
    statement = f"""
        update {connection.ops.quote_name(table.db_table)} as row
        set {", ".join(f"{name} = fresh.{name}" for name in names)}
        from (values %s) as fresh (id, {", ".join(names)})
        where row.id = fresh.id
    """  # noqa: S608 - names of our own tables and columns
    # A cast to varchar(20) would cut off what is longer.
    types = [
        "text" if isinstance(field, models.CharField) else field.db_type(connection) for field in written
    ]
    values = [
        [row.pk, *(field.get_db_prep_save(getattr(row, field.attname), connection) for field in written)]
        for row in rows
    ]
    casts = ", ".join(f"%s::{each}" for each in ["bigint", *types])
    with transaction.atomic(savepoint=False), connection.cursor() as cursor:
        execute_values(cursor, statement, values, template=f"({casts})", page_size=PORTION)
