"""What a person can ask for: a queue in which MTurk tells a Connection of events, a test of it, and none any more."""

from django.db import transaction

from mturkhub.accounts.activity import record
from mturkhub.accounts.actors import Actor
from mturkhub.accounts.credentials import gateway_for
from mturkhub.accounts.models import Connection, NotificationQueue
from mturkhub.accounts.permissions import Permission, check_can
from mturkhub.accounts.rules.connections import check_queue_url
from mturkhub.common import clock
from mturkhub.common.errors import ActionRefused
from mturkhub.gateway.client import MTurkGateway
from mturkhub.gateway.errors import MTurkError
from mturkhub.gateway.rate_budget import Lane


def set_queue(connection: Connection, *, by: Actor, url: str) -> NotificationQueue:
    """Read events from this queue from now on. MTurk is told with the next batch, and soon for types in use."""
    team_id = connection.account.team_id
    check_can(by, Permission.CONNECTION_MANAGE, team_id)
    url = url.strip()
    address = check_queue_url(url)
    with transaction.atomic():
        connection = Connection.objects.select_for_update().get(pk=connection.pk)
        before = NotificationQueue.objects.filter(connection=connection).first()
        if before and before.url == url:
            return before
        # Whoever reads a message deletes it, so two would take each other's away.
        taken = NotificationQueue.objects.filter(connection__account=connection.account_id, url=url)
        if other := taken.select_related("connection").first():
            raise ActionRefused(
                f"{other.connection} reads this queue already. Make a queue for each connection.", status=400
            )
        if before:
            # Another row, so that a receiver of the old queue writes nothing about the new one.
            before.delete()
        queue = NotificationQueue.objects.create(connection=connection, url=url)
        record(by, "connection.queue_set", connection, team_id=team_id, queue=address.name)
    return queue


def switch_queue_off(connection: Connection, *, by: Actor) -> None:
    """Read no events any more; sweeps go on as before. Nothing changes when there was no queue."""
    team_id = connection.account.team_id
    check_can(by, Permission.CONNECTION_MANAGE, team_id)
    with transaction.atomic():
        deleted, _ = NotificationQueue.objects.filter(connection=connection).delete()
        if deleted:
            record(by, "connection.queue_off", connection, team_id=team_id)


def send_test_event(
    connection: Connection, *, by: Actor, gateway: MTurkGateway | None = None
) -> NotificationQueue:
    """Have MTurk send a test event now. The queue comes back waiting for it, or with its `problem`."""
    team_id = connection.account.team_id
    check_can(by, Permission.CONNECTION_MANAGE, team_id)
    queue = NotificationQueue.objects.filter(connection=connection).first()
    if queue is None:
        raise ActionRefused(f"{connection} has no queue for events. Set one up, then test it.")
    gateway = gateway or gateway_for(connection, Lane.ASKING)
    # Before it is asked for: it may arrive before the answer does.
    queue.test_sent_at = clock.now()
    queue.save(update_fields=["test_sent_at"])
    try:
        gateway.send_test_event_notification(queue.url)
    except MTurkError as error:
        queue.test_sent_at, queue.problem, queue.problem_at = None, error.sentence, clock.now()
        queue.save(update_fields=["test_sent_at", "problem", "problem_at"])
        record(by, "connection.test_event_refused", connection, team_id=team_id, problem=error.sentence)
    else:
        record(by, "connection.test_event_sent", connection, team_id=team_id)
    return queue
