"""Events are written once: the database itself refuses to change or delete one."""

import pytest
from django.db import DatabaseError, transaction
from django.db import connection as database

from mturkhub.accounts.activity import record
from mturkhub.accounts.models import Event


@pytest.fixture
def event(olive, connection):
    return record(olive.actor, "connection.made", connection, team_id=olive.team.pk)


@pytest.mark.parametrize(
    "forge",
    [
        lambda event: Event.objects.filter(pk=event.pk).update(verb="connection.tested"),
        lambda event: Event.objects.filter(pk=event.pk).delete(),
        lambda event: database.cursor().execute("update accounts_event set by_rule = 'nobody'"),
        lambda event: database.cursor().execute("delete from accounts_event"),
    ],
    ids=["update", "delete", "update in SQL", "delete in SQL"],
)
def test_an_event_is_neither_changed_nor_deleted(event, forge):
    with pytest.raises(DatabaseError, match="never changed or deleted"), transaction.atomic():
        forge(event)

    stands = Event.objects.get()
    assert (stands.verb, stands.by, stands.by_rule) == ("connection.made", event.by, "")


def test_an_event_that_is_saved_again_is_refused(event):
    event.verb = "connection.tested"

    with pytest.raises(DatabaseError, match="never changed or deleted"), transaction.atomic():
        event.save()

    assert Event.objects.get().verb == "connection.made"
