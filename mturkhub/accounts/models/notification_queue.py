"""Where MTurk tells a Connection of events."""

from django.db import models

from mturkhub.accounts.models.requester_account import Connection


class NotificationQueue(models.Model):
    """A Connection's SQS queue, and what came through it. Another queue is another row; none is no row."""

    connection = models.OneToOneField(Connection, on_delete=models.CASCADE, related_name="queue")
    url = models.URLField(max_length=300)
    created_at = models.DateTimeField(auto_now_add=True)

    # When MTurk was last asked for a test event, and when one last arrived.
    test_sent_at = models.DateTimeField(null=True, blank=True)
    test_arrived_at = models.DateTimeField(null=True, blank=True)
    # MTurk's name of the last event, a test among them, and when it was received.
    last_event = models.CharField(max_length=64, blank=True)
    last_event_at = models.DateTimeField(null=True, blank=True)
    # Messages and events that meant nothing here, and what the last one was.
    ignored = models.PositiveBigIntegerField(default=0)
    ignored_last = models.TextField(blank=True)
    # When it was last read without trouble; the last trouble with reading it or with telling MTurk of it, until a
    # test event arrives.
    read_at = models.DateTimeField(null=True, blank=True)
    problem = models.TextField(blank=True)
    problem_at = models.DateTimeField(null=True, blank=True)
    # One receiver at a time; after trouble nobody for a while.
    lease_until = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"Notifications of {self.connection}"

    @property
    def awaits_test(self) -> bool:
        """Whether MTurk says that it has sent a test event, and none has arrived since."""
        if self.test_sent_at is None:
            return False
        return self.test_arrived_at is None or self.test_arrived_at < self.test_sent_at
