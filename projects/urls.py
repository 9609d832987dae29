"""Addresses of projects, batches, rows and answers."""

from django.urls import path

from projects.views import projects, templates, uploads

app_name = "projects"

urlpatterns = [
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
    path("uploads/<uuid:public_id>/drop/", uploads.drop_lines, name="drop_lines"),
    path("uploads/<uuid:public_id>/bad-lines.csv", uploads.bad_lines, name="bad_lines"),
    path("uploads/<uuid:public_id>/batch/", uploads.make_batch, name="make_batch"),
    path("batches/<uuid:public_id>/cost/", uploads.cost, name="cost"),
    path("batches/<uuid:public_id>/publish/", uploads.publish_batch, name="publish_batch"),
]
