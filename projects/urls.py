"""Addresses of projects, batches, rows and answers."""

from django.urls import path

from projects.views import activity, batches, money, projects, reviews, templates, uploads

app_name = "projects"

urlpatterns = [
    path("", reviews.home, name="home"),
    path("activity/", activity.activity, name="activity"),
    path("activity/activity.csv", activity.download_activity, name="download_activity"),
    path("money/", money.money, name="money"),
    path("money/budgets/<uuid:public_id>/remove/", money.remove_budget, name="remove_budget"),
    path("projects/", projects.projects, name="projects"),
    path("projects/new/", projects.create_project, name="create_project"),
    path("projects/<uuid:public_id>/", projects.project, name="project"),
    path("projects/<uuid:public_id>/settings/", projects.edit_project, name="edit_project"),
    path("projects/<uuid:public_id>/template/", templates.edit_template, name="edit_template"),
    path("projects/<uuid:public_id>/template/check/", templates.check_template, name="check_template"),
    path("preview/<str:token>/", templates.preview, name="preview"),
    path("projects/<uuid:public_id>/batches/new/", uploads.upload_batch, name="upload_batch"),
    path("projects/<uuid:public_id>/sample.csv", uploads.sample_file, name="sample_file"),
    path("uploads/<uuid:public_id>/", uploads.check_upload, name="check_upload"),
    path("uploads/<uuid:public_id>/encoding/", uploads.choose_upload_encoding, name="choose_upload_encoding"),
    path("uploads/<uuid:public_id>/drop/", uploads.drop_lines, name="drop_lines"),
    path("uploads/<uuid:public_id>/bad-lines.csv", uploads.bad_lines, name="bad_lines"),
    path("uploads/<uuid:public_id>/batch/", uploads.make_batch, name="make_batch"),
    path("batches/<uuid:public_id>/cost/", uploads.cost, name="cost"),
    path("batches/<uuid:public_id>/publish/", uploads.publish_batch, name="publish_batch"),
    path("batches/<uuid:public_id>/", batches.batch, name="batch"),
    path("batches/<uuid:public_id>/figures/", batches.batch_figures, name="batch_figures"),
    path("batches/<uuid:public_id>/rows/", batches.batch_rows, name="batch_rows"),
    path("batches/<uuid:public_id>/rows/<int:number>/", batches.row, name="row"),
    path("batches/<uuid:public_id>/export/", batches.batch_export, name="batch_export"),
    path("batches/<uuid:public_id>/results.csv", batches.results_csv, name="results_csv"),
    path("batches/<uuid:public_id>/results.jsonl", batches.results_jsonl, name="results_jsonl"),
    path("batches/<uuid:public_id>/results.json", batches.results_json, name="results_json"),
    path("batches/<uuid:public_id>/activity/", batches.batch_activity, name="batch_activity"),
    path("batches/<uuid:public_id>/collect/", batches.collect_now, name="collect_now"),
    path("batches/<uuid:public_id>/pause/", batches.pause, name="pause"),
    path("batches/<uuid:public_id>/resume/", batches.resume, name="resume"),
    path("batches/<uuid:public_id>/retry/", batches.retry_failed, name="retry_failed"),
    path("review/", reviews.review, name="review"),
    path("batches/<uuid:public_id>/review/", reviews.review_batch, name="review_batch"),
    path("batches/<uuid:public_id>/decide/", reviews.decide_many, name="decide_many"),
    path("assignments/<uuid:public_id>/approve/", reviews.approve, name="approve"),
    path("assignments/<uuid:public_id>/reject/", reviews.reject, name="reject"),
    path("assignments/<uuid:public_id>/leave-out/", reviews.leave_out, name="leave_out"),
    path("assignments/<uuid:public_id>/take-back-in/", reviews.take_back_in, name="take_back_in"),
    path("assignments/<uuid:public_id>/undo/", reviews.undo, name="undo"),
    path("jobs/<uuid:public_id>/", reviews.job, name="job"),
]
