"""Celery's way in: each task fetches its row, builds the gateway and calls the module that does the work.

A task may run twice or die halfway; what is to be done stands in rows.
"""

import logging
from datetime import timedelta

from celery import shared_task
from django.db.models import Exists, OuterRef, Q

from mturkhub.accounts.credentials import gateway_for, queue_for
from mturkhub.accounts.models import Connection, Environment, NotificationQueue
from mturkhub.common import clock
from mturkhub.common.errors import ActionRefused
from mturkhub.gateway.errors import MTurkError
from mturkhub.gateway.rate_budget import Lane
from mturkhub.intentions.claiming import ring
from mturkhub.intentions.models import IntentionState, Job, JobState, Operation
from mturkhub.intentions.settling import clear_all_stale, connections_to_settle, settle_connection
from projects import adopting, importing
from projects.balances import refresh_balance
from projects.bulk_deciding import run_chunk
from projects.checking import delete_expired_uploads, run_check, uploads_to_check
from projects.collecting import collect_wanted, sweep
from projects.ending import end
from projects.listening import listen, note_trouble, tell_types_in_use
from projects.models import HIT, Assignment, Batch, Bonus, Decision
from projects.operating import send_operations
from projects.paying import read_bonuses, send_bonuses
from projects.publishing import is_being_published, publish_chunk
from projects.queueing import begin_scheduled
from projects.requeueing import requeue
from projects.sending import is_being_told, send_decisions
from projects.states import BatchState, OperationKind

log = logging.getLogger(__name__)

BALANCE_LIFE = timedelta(seconds=60)


@shared_task
def publish_batch(batch_id: int) -> None:
    """Create HITs of one batch for a while, and ring for the next turn."""
    batch = Batch.objects.select_related("connection", "template").get(pk=batch_id)
    # Of several bells one is enough: whoever is at it rings again.
    if is_being_published(batch):
        return
    if publish_chunk(batch, gateway=gateway_for(batch.connection, Lane.CREATING)):
        ring(publish_batch, batch_id)


@shared_task
def publish_due_batches() -> None:
    """Ring for every batch that has HITs to create."""
    paused = Connection.objects.filter(Q(creation_paused_at__isnull=False) | Q(paused_at__isnull=False))
    for batch_id in Batch.objects.publishing().exclude(connection__in=paused).values_list("pk", flat=True):
        ring(publish_batch, batch_id)


@shared_task
def begin_scheduled_batches() -> None:
    """Begin with every batch whose time has come."""
    due = Batch.objects.filter(state=BatchState.SCHEDULED, publish_at__lte=clock.now())
    for batch_id in due.values_list("pk", flat=True):
        if begin_scheduled(batch_id):
            ring(publish_batch, batch_id)


@shared_task
def ask_again_for_rejected() -> None:
    """Ask again for what was rejected, in every batch that wants this to happen by itself."""
    rejected = Assignment.objects.filter(batch=OuterRef("pk")).not_asked_again()
    for batch_id in Batch.objects.requeueing().filter(Exists(rejected)).values_list("pk", flat=True):
        if requeue(batch_id):
            ring(publish_batch, batch_id)


@shared_task
def send_due_decisions(connection_id: int) -> None:
    """Send one Connection's decisions for a while, and ring for the next turn."""
    connection = Connection.objects.get(pk=connection_id)
    if is_being_told(connection):
        return
    if send_decisions(connection, gateway=gateway_for(connection)):
        ring(send_due_decisions, connection_id)


@shared_task
def send_all_due_decisions() -> None:
    """Ring for every Connection that has decisions whose grace time is over."""
    due = Decision.objects.filter(
        state=IntentionState.QUEUED, due_at__lte=clock.now(), connection__paused_at=None
    )
    for connection_id in due.values_list("connection_id", flat=True).distinct():
        ring(send_due_decisions, connection_id)


@shared_task
def send_due_operations(connection_id: int) -> None:
    """Send a chunk of one Connection's changes of HITs, and ring for the next."""
    connection = Connection.objects.get(pk=connection_id)
    if send_operations(connection, gateway=gateway_for(connection)):
        ring(send_due_operations, connection_id)


@shared_task
def send_all_due_operations() -> None:
    """Ring for every Connection that has changes of HITs to send."""
    due = Operation.objects.filter(
        state=IntentionState.QUEUED,
        due_at__lte=clock.now(),
        kind__in=OperationKind.values,
        connection__paused_at=None,
    )
    for connection_id in due.values_list("connection_id", flat=True).distinct():
        ring(send_due_operations, connection_id)


@shared_task
def send_due_bonuses(connection_id: int) -> None:
    """Send a chunk of one Connection's bonuses, and ring for the next."""
    connection = Connection.objects.get(pk=connection_id)
    if send_bonuses(connection, gateway=gateway_for(connection)):
        ring(send_due_bonuses, connection_id)


@shared_task
def send_all_due_bonuses() -> None:
    """Ring for every Connection that has bonuses to send."""
    due = Bonus.objects.filter(
        state=IntentionState.QUEUED, due_at__lte=clock.now(), connection__paused_at=None
    )
    for connection_id in due.values_list("connection_id", flat=True).distinct():
        ring(send_due_bonuses, connection_id)


@shared_task
def read_paid_bonuses() -> None:
    """After a restore: read which bonuses were paid since the backup. Without an answer it is tried again."""
    unread = HIT.objects.filter(bonuses_unread=True).values("connection")
    for connection in Connection.objects.filter(pk__in=unread):
        try:
            read_bonuses(connection, gateway=gateway_for(connection))
        except (MTurkError, ActionRefused) as error:
            log.warning("No bonuses of Connection %s could be read: %s", connection.pk, error.sentence)


@shared_task
def end_batches() -> None:
    """Go a step towards the end of every cancelled or closing batch."""
    for batch in Batch.objects.ending():
        end(batch)


@shared_task
def collect_connection(connection_id: int) -> None:
    """One sweep of a Connection."""
    connection = Connection.objects.get(pk=connection_id)
    sweep(connection, gateway=gateway_for(connection, Lane.COLLECTING))


@shared_task
def collect_due_connections() -> None:
    """Ring for every Connection that has HITs and whose next sweep is due, or where one is wished for."""
    has_hits = Q(hits__publish_state__in=[IntentionState.PUBLISHED, IntentionState.UNKNOWN])
    used = Connection.objects.filter(has_hits | Q(sweep_wanted_at__isnull=False))
    now = clock.now()
    for connection in used.distinct():
        is_due = connection.next_sweep_at is None or connection.next_sweep_at <= now
        if is_due or connection.sweep_wanted_at:
            ring(collect_connection, connection.pk)


@shared_task
def hear_events(connection_id: int) -> None:
    """Read what a Connection's queue has to tell, and fetch the HITs it names."""
    connection = Connection.objects.get(pk=connection_id)
    queue = NotificationQueue.objects.filter(connection=connection).first()
    try:
        gateway = gateway_for(connection, Lane.COLLECTING)
        tell_types_in_use(connection, queue, gateway=gateway)
        if queue:
            listen(queue, messages=queue_for(queue))
            collect_wanted(connection, gateway=gateway)
    except ActionRefused as refused:
        log.warning("Connection %s cannot hear of events: %s", connection.pk, refused.sentence)
        if queue:
            note_trouble(queue, refused.sentence)
    except MTurkError as error:
        log.warning(
            "HITs of Connection %s could not be fetched for events: %s", connection.pk, error.sentence
        )


@shared_task
def hear_all_events() -> None:
    """Ring for every Connection that has a queue, or HIT types that still think it has."""
    tells = Q(queue__isnull=False) | Q(hit_types__notified_queue__gt="")
    # A restored copy would take the events away from the original.
    for connection in Connection.objects.filter(tells, paused_at=None).distinct():
        ring(hear_events, connection.pk)


@shared_task
def settle_unknown() -> None:
    """Free what dead senders held, and look up what nobody knows the outcome of."""
    if unknown := clear_all_stale():
        log.warning("%d intentions were being sent when their sender stopped; looking them up", unknown)
    for connection_id in connections_to_settle():
        connection = Connection.objects.get(pk=connection_id)
        try:
            gateway = gateway_for(connection)
        except ActionRefused as refused:
            log.warning("Nothing is looked up on Connection %s: %s", connection.pk, refused.sentence)
            continue
        settle_connection(connection, gateway)


@shared_task
def refresh_balances() -> None:
    """Ask for balances a minute old, and for those that hold up creating; without an answer the last one stays."""
    old = Q(balance_at__isnull=True) | Q(balance_at__lt=clock.now() - BALANCE_LIFE)
    old |= Q(creation_paused_at__isnull=False)
    # The first reading opens the account: the sooner, the less happens before it.
    old |= Q(reconciliation__isnull=True) & ~Q(environment=Environment.SANDBOX)
    in_use = Q(tested_at__isnull=False) | Q(environment=Environment.LOCAL)
    for connection in Connection.objects.filter(old, in_use):
        try:
            refresh_balance(connection, gateway=gateway_for(connection, Lane.ASKING))
        except (MTurkError, ActionRefused) as error:
            log.warning("No balance of Connection %s: %s", connection.pk, error.sentence)


@shared_task
def run_job(job_id: int) -> None:
    """Work on a chunk of one bulk job's items, and ring for the next."""
    job = Job.objects.get(pk=job_id)
    if job.kind in adopting.KINDS:
        connection = Connection.objects.get(pk=job.arguments["connection"])
        goes_on = adopting.run_chunk(job, gateway=gateway_for(connection, Lane.COLLECTING))
    elif job.kind == importing.IMPORT_RESULTS:
        goes_on = importing.run(job)
    else:
        goes_on = run_chunk(job)
    if goes_on:
        ring(run_job, job_id)


@shared_task
def run_due_jobs() -> None:
    """Ring for every unfinished bulk job."""
    for job_id in Job.objects.filter(state=JobState.RUNNING).values_list("pk", flat=True):
        ring(run_job, job_id)


@shared_task
def expire_files() -> None:
    """Delete previews, uploads nobody made a batch of and other files whose time is over."""
    delete_expired_uploads()


@shared_task
def check_upload(upload_id: int) -> None:
    """Check one large file."""
    run_check(upload_id)


@shared_task
def check_due_uploads() -> None:
    """Ring for every large file that waits for its check, also after a checker died."""
    for upload_id in uploads_to_check():
        ring(check_upload, upload_id)
