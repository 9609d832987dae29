"""What `mturkhub demo` finds when it starts."""

import pytest
from django.core.management import call_command

from mturkhub.accounts.credentials import Keys
from mturkhub.accounts.first_team import ensure_first_team
from mturkhub.management.commands.make_demo import TEXTS
from projects.models import HIT, Batch
from projects.states import BatchState


@pytest.mark.django_db
def test_the_demo_is_one_published_batch_however_often_it_is_started() -> None:
    ensure_first_team(email="", password="", keys=Keys("AKIADEMO", "secret"))

    call_command("make_demo")
    call_command("make_demo")

    batch = Batch.objects.get()
    assert batch.state == BatchState.PUBLISHING
    assert HIT.objects.filter(batch=batch).count() == batch.rows_total == len(TEXTS)
