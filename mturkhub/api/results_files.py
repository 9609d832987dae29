"""Results files of the requester site: uploaded, checked, and imported by a Job."""

import uuid
from typing import Any

from django.db import transaction
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from mturkhub.accounts.permissions import Permission, check_can
from mturkhub.api.base import ApiView, find
from mturkhub.api.connections import WhereBody, choose_connection
from mturkhub.api.files import arrived, file_refused
from mturkhub.api.jobs import JobShown
from mturkhub.api.problems import Refused
from mturkhub.api.repeating import once
from mturkhub.api.schema import KEY
from mturkhub.common.encodings import ENCODINGS, UTF_8
from mturkhub.common.stored_files import store_what_arrives
from projects.actions.results import import_results, read_results_as, take_results
from projects.models import Project
from projects.results_reading import ResultsReport


class ResultsFileBody(WhereBody):
    """The connection is the one to the account the file came from."""

    file = serializers.FileField(
        help_text="CSV as the requester site wrote it: Batch_…_batch_results.csv, or this dashboard's."
    )
    drop_bad_lines = serializers.BooleanField(
        required=False,
        help_text="Go on without lines that cannot be imported, instead of being told of them.",
    )
    encoding = serializers.ChoiceField(
        list(ENCODINGS.items()),
        required=False,
        help_text="UTF-8 unless given; the refusal of another file names those in which it can be read.",
    )


class ProjectResultsFiles(ApiView):
    parser_classes = [MultiPartParser]

    @extend_schema(
        operation_id="results_files_import",
        parameters=[KEY],
        request={"multipart/form-data": ResultsFileBody},
        responses={202: JobShown},
    )
    def post(self, request: Request, public_id: uuid.UUID) -> Response:
        """Upload results of the requester site; a Job makes a closed batch of them, for which nothing is sent or paid."""
        project = find(Project.objects.for_actor(self.actor), public_id)
        check_can(self.actor, Permission.BATCH_CREATE, project.team_id)
        # From here on what arrives goes straight into the database.
        store_what_arrives(request._request, project.team_id)
        return self._import(request, project)

    @once
    def _import(self, request: Request, project: Project) -> Response:
        given = self.body(ResultsFileBody)
        connection = choose_connection(given, by=self.actor, team_id=project.team_id)
        is_dropping = given.get("drop_bad_lines", False)
        with transaction.atomic():
            upload = take_results(project, by=self.actor, connection=connection, file=arrived(given["file"]))
            if given.get("encoding", UTF_8) != UTF_8:
                upload = read_results_as(upload, by=self.actor, encoding=given["encoding"])
            report = ResultsReport.from_json(upload.report)
            if report.refusal or (report.bad_lines and not is_dropping):
                raise _unusable(report)
            job = import_results(upload, by=self.actor, drop_bad_lines=is_dropping)
        return Response(JobShown(job).data, status=202)


def _unusable(report: ResultsReport) -> Refused:
    count = report.bad_lines
    told = report.refusal or (
        f"{count:,} line{'s' if count != 1 else ''} of the file cannot be imported; bad_lines names them. Mend the file, "
        "or send drop_bad_lines=true. Nothing was saved."
    )
    more: dict[str, Any] = {}
    if report.is_other_encoding:
        more["encodings"] = [{"encoding": encoding, "name": name} for encoding, name in report.encodings]
    return file_refused([told], report.issues, count, **more)
