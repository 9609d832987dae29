"""Every address of the API, without a slash at its end, and the page about them."""

from django.urls import path

from mturkhub.api import (
    assignments,
    batches,
    changing,
    connections,
    documents,
    elsewhere,
    jobs,
    ledger,
    projects,
    results_files,
    rows,
)

app_name = "api"

# Names of path converters as the views call them.
_BATCH = "v1/batches/<uuid:public_id>"
_ASSIGNMENT = "v1/assignments/<str:name>"
_CONNECTION = "v1/connections/<uuid:public_id>"

urlpatterns = [
    path("docs/", documents.docs, name="docs"),
    path("v1/openapi.json", documents.OpenApi.as_view(), name="openapi"),
    path("v1/balance", connections.Balance.as_view(), name="balance"),
    path(f"{_CONNECTION}/hits-elsewhere", elsewhere.HITsElsewhere.as_view(), name="hits_elsewhere"),
    path(f"{_CONNECTION}/look", elsewhere.Look.as_view(), name="look"),
    path(f"{_CONNECTION}/adopt", elsewhere.Adopt.as_view(), name="adopt"),
    path(f"{_CONNECTION}/import-history", elsewhere.ImportHistory.as_view(), name="import_history"),
    path("v1/ledger", ledger.Ledger.as_view(), name="ledger"),
    path("v1/projects", projects.Projects.as_view(), name="projects"),
    path("v1/projects/<uuid:public_id>", projects.ProjectById.as_view(), name="project"),
    path("v1/projects/<uuid:public_id>/batches", batches.ProjectBatches.as_view(), name="project_batches"),
    path(
        "v1/projects/<uuid:public_id>/results-files",
        results_files.ProjectResultsFiles.as_view(),
        name="results_files",
    ),
    path("v1/batches", batches.Batches.as_view(), name="batches"),
    path(_BATCH, batches.BatchById.as_view(), name="batch"),
    path(f"{_BATCH}/publish", batches.PublishBatch.as_view(), name="publish"),
    path(f"{_BATCH}/unschedule", batches.UnscheduleBatch.as_view(), name="unschedule"),
    path(f"{_BATCH}/pause", batches.PauseBatch.as_view(), name="pause"),
    path(f"{_BATCH}/resume", batches.ResumeBatch.as_view(), name="resume"),
    path(f"{_BATCH}/retry", batches.RetryBatch.as_view(), name="retry"),
    path(f"{_BATCH}/collect", batches.CollectBatch.as_view(), name="collect"),
    path(f"{_BATCH}/publish-rest", changing.PublishRest.as_view(), name="publish_rest"),
    path(f"{_BATCH}/republish", changing.Republish.as_view(), name="republish"),
    path(f"{_BATCH}/continue", changing.ContinueBatch.as_view(), name="continue"),
    path(f"{_BATCH}/requeue", changing.RequeueBatch.as_view(), name="requeue"),
    path(f"{_BATCH}/extend", changing.ExtendAnswers.as_view(), name="extend"),
    path(f"{_BATCH}/more-time", changing.MoreTime.as_view(), name="more_time"),
    path(f"{_BATCH}/expire", changing.ExpireBatch.as_view(), name="expire"),
    path(f"{_BATCH}/cancel", changing.CancelBatch.as_view(), name="cancel"),
    path(f"{_BATCH}/close", changing.CloseBatch.as_view(), name="close"),
    path(f"{_BATCH}/retry-changes", changing.RetryChanges.as_view(), name="retry_changes"),
    path(f"{_BATCH}/drop-changes", changing.DropChanges.as_view(), name="drop_changes"),
    path(f"{_BATCH}/rows/<int:number>/answers", rows.RowAnswers.as_view(), name="row_answers"),
    path(f"{_BATCH}/rows", rows.BatchRows.as_view(), name="rows"),
    path(f"{_BATCH}/assignments", assignments.BatchAssignments.as_view(), name="assignments"),
    path(f"{_BATCH}/results", batches.Results.as_view(), name="results"),
    path(f"{_BATCH}/approve", assignments.ApproveBatch.as_view(), name="approve_batch"),
    path(f"{_BATCH}/reject", assignments.RejectBatch.as_view(), name="reject_batch"),
    path(_ASSIGNMENT, assignments.AssignmentById.as_view(), name="assignment"),
    path(f"{_ASSIGNMENT}/approve", assignments.ApproveAssignment.as_view(), name="approve"),
    path(f"{_ASSIGNMENT}/reject", assignments.RejectAssignment.as_view(), name="reject"),
    path(f"{_ASSIGNMENT}/overturn", assignments.OverturnAssignment.as_view(), name="overturn"),
    path(f"{_ASSIGNMENT}/bonus", assignments.SendBonus.as_view(), name="bonus"),
    path(f"{_ASSIGNMENT}/undo", assignments.UndoAssignment.as_view(), name="undo"),
    path(f"{_ASSIGNMENT}/leave-out", assignments.LeaveOutAssignment.as_view(), name="leave_out"),
    path(f"{_ASSIGNMENT}/take-back-in", assignments.TakeInAssignment.as_view(), name="take_back_in"),
    path("v1/bonuses/<uuid:public_id>/retry", assignments.RetryBonus.as_view(), name="retry_bonus"),
    path("v1/jobs/<uuid:public_id>", jobs.JobById.as_view(), name="job"),
]
