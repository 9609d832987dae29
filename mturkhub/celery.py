"""The Celery app with its whole beat schedule.

The queue is only a doorbell: what is to be done stands in rows, and beat rings again for what is unfinished.
"""

import gc
import os
from typing import Any

from celery import Celery
from celery.signals import worker_init
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mturkhub.settings")

# Redis keeps a list for each of its priorities; the smallest number is taken first, and is the usual one.
PRIORITIES = (0, 9)
LATER = 9

app = Celery("mturkhub")
app.conf.update(
    broker_url=settings.REDIS_URL,
    broker_connection_retry_on_startup=True,
    # A worker that dies leaves its message unacknowledged; chunks take seconds, so five minutes are far past
    # the longest. Without the two intervals kombu sweeps for such messages only every 100 s.
    broker_transport_options={
        "visibility_timeout": 300,
        "unacked_restore_interval": 2,
        "unacked_restore_throttle": 1,
        "priority_steps": PRIORITIES,
        "global_keyprefix": settings.CELERY_QUEUE_PREFIX,
    },
    task_ignore_result=True,
    task_acks_late=True,
    worker_prefetch_multiplier=1,
    task_default_queue="default",
    # Named for what they wait on. What only looks at rows and rings is `default`'s. Creating waits for a free worker
    # until nothing else does: a decision of now is worth more than a HIT of now.
    task_routes={
        "projects.tasks.publish_batch": {"queue": "mturk", "priority": LATER},
        "projects.tasks.send_due_decisions": {"queue": "mturk"},
        "projects.tasks.send_due_operations": {"queue": "mturk"},
        "projects.tasks.send_due_bonuses": {"queue": "mturk"},
        "projects.tasks.read_paid_bonuses": {"queue": "mturk"},
        "projects.tasks.collect_connection": {"queue": "mturk"},
        "projects.tasks.hear_events": {"queue": "mturk"},
        "projects.tasks.settle_unknown": {"queue": "mturk"},
        "projects.tasks.refresh_balances": {"queue": "mturk"},
        "projects.tasks.run_job": {"queue": "files"},
        "projects.tasks.check_upload": {"queue": "files"},
    },
    task_serializer="json",
    accept_content=["json"],
    timezone="UTC",
)
app.autodiscover_tasks(["mturkhub", "mturkhub.api", "projects"])
app.autodiscover_tasks(["mturkhub"], related_name="health")


@worker_init.connect
def _share_memory(**_: Any) -> None:
    """What is loaded before the pool forks stays shared: looking for garbage would copy every page of it."""
    gc.collect()
    gc.freeze()


def every(seconds: int, task: str, **options: Any) -> dict[str, Any]:
    """A beat entry; it expires before the next one, so a stopped worker finds no pile."""
    return {"task": task, "schedule": seconds, "options": {"expires": seconds, **options}}


app.conf.beat_schedule = {
    # Shows `readyz` that beat rings and a worker hears it.
    "heartbeat": every(5, "mturkhub.health.heartbeat"),
    # HITs that wait to be created, also after a lost doorbell or a dead worker.
    "publish": every(5, "projects.tasks.publish_due_batches"),
    # Batches whose time to be published has come.
    "schedule": every(10, "projects.tasks.begin_scheduled_batches"),
    # Rejected answers, in batches that ask again for them by themselves.
    "ask again": every(60, "projects.tasks.ask_again_for_rejected"),
    # Decisions whose grace time is over.
    "decide": every(5, "projects.tasks.send_all_due_decisions"),
    # Changes of HITs that wait to be sent, and what cancelled and closing batches still need.
    "operate": every(5, "projects.tasks.send_all_due_operations"),
    "end": every(10, "projects.tasks.end_batches"),
    # Bonuses that wait to be sent; and after a restore, those MTurk has paid meanwhile.
    "pay": every(5, "projects.tasks.send_all_due_bonuses"),
    "read bonuses": every(15, "projects.tasks.read_paid_bonuses"),
    # Connections whose next sweep is due.
    "collect": every(5, "projects.tasks.collect_due_connections"),
    # Connections that are told of events by a queue.
    "listen": every(5, "projects.tasks.hear_all_events"),
    # Stale leases, and intentions whose outcome nobody knows.
    "settle": every(15, "projects.tasks.settle_unknown"),
    # What the header shows, and whether a Connection paused for lack of funds may go on.
    "balances": every(10, "projects.tasks.refresh_balances"),
    # Previews and other files whose time is over.
    "expire": every(60, "projects.tasks.expire_files"),
    # Bulk work that is unfinished.
    "jobs": every(5, "projects.tasks.run_due_jobs"),
    # What was answered to requests with an Idempotency-Key.
    "forget": every(3600, "mturkhub.api.tasks.forget_old_answers"),
    # Large files that wait for their check.
    "check": every(5, "projects.tasks.check_due_uploads"),
}
