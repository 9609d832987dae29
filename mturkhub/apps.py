"""The site as a Django app: what must be there before the first request or command."""

from django.apps import AppConfig


class SiteConfig(AppConfig):
    name = "mturkhub"

    def ready(self) -> None:
        """Make our Celery app the current one, so that every process rings the same broker."""
        import mturkhub.celery
        import mturkhub.task_log  # noqa: F401
