"""The people who answer."""

import factory

from mturkhub.workers.models import TeamWorker, Worker
from tests.factories.accounts import ConnectionFactory, TeamFactory


class WorkerFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Worker

    connection = factory.SubFactory(ConnectionFactory)
    mturk_id = factory.Sequence(lambda n: f"AWORKER{n:06d}")


class TeamWorkerFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = TeamWorker

    team = factory.SubFactory(TeamFactory)
    worker = factory.SubFactory(WorkerFactory)
    pseudonym = factory.Sequence(lambda n: f"W-{n:06d}")
