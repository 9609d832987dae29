"""Celery's way in."""

from celery import shared_task

from mturkhub.api import repeating


@shared_task
def forget_old_answers() -> None:
    """Delete kept answers nobody will ask for again."""
    repeating.forget_old_answers()
