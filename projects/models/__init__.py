"""Project → Batch → BatchRow → HIT → Assignment → Decision and Bonus."""

from projects.models.assignment import Assignment, AssignmentAnswer
from projects.models.batch import Batch, BatchRow, BatchUpload, RowResult
from projects.models.bonus import Bonus
from projects.models.budget import Budget, BudgetPeriod, BudgetScope, BudgetSpend
from projects.models.decision import Decision
from projects.models.export import Export
from projects.models.foreign_hit import ForeignHIT
from projects.models.hit import HIT, HITType
from projects.models.ledger import LedgerEntry, LedgerKind, LedgerReason
from projects.models.project import HITProperties, HITTemplate, Project
from projects.models.reconciliation import Reconciliation
from projects.models.results_upload import ResultsUpload
from projects.models.sweep import Sweep

__all__ = [
    "HIT",
    "Assignment",
    "AssignmentAnswer",
    "Batch",
    "BatchRow",
    "BatchUpload",
    "Bonus",
    "Budget",
    "BudgetPeriod",
    "BudgetScope",
    "BudgetSpend",
    "Decision",
    "Export",
    "ForeignHIT",
    "HITProperties",
    "HITTemplate",
    "HITType",
    "LedgerEntry",
    "LedgerKind",
    "LedgerReason",
    "Project",
    "Reconciliation",
    "ResultsUpload",
    "RowResult",
    "Sweep",
]
