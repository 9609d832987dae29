"""Rows for tests, one module per room."""

from tests.factories.accounts import (
    AccountGrantFactory,
    ApiTokenFactory,
    ConnectionFactory,
    MembershipFactory,
    RequesterAccountFactory,
    TeamFactory,
    UserFactory,
)
from tests.factories.projects import (
    AssignmentFactory,
    BatchFactory,
    BatchRowFactory,
    BonusFactory,
    DecisionFactory,
    HITFactory,
    HITTemplateFactory,
    HITTypeFactory,
    ProjectFactory,
)
from tests.factories.workers import TeamWorkerFactory, WorkerFactory

__all__ = [
    "AccountGrantFactory",
    "ApiTokenFactory",
    "AssignmentFactory",
    "BatchFactory",
    "BatchRowFactory",
    "BonusFactory",
    "ConnectionFactory",
    "DecisionFactory",
    "HITFactory",
    "HITTemplateFactory",
    "HITTypeFactory",
    "MembershipFactory",
    "ProjectFactory",
    "RequesterAccountFactory",
    "TeamFactory",
    "TeamWorkerFactory",
    "UserFactory",
    "WorkerFactory",
]
