"""HITs of an account that were made elsewhere: listed, looked for, adopted, and a whole history imported."""

import uuid
from collections.abc import Iterable
from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from mturkhub.accounts.models import Connection
from mturkhub.accounts.permissions import Permission, check_can
from mturkhub.api.base import ApiView, find
from mturkhub.api.fields import Dollars, Fields, Text
from mturkhub.api.jobs import JobShown
from mturkhub.api.paging import USUAL, PageFields, check_place, listed
from mturkhub.api.problems import Refused, fields_refused
from mturkhub.api.repeating import once
from mturkhub.api.schema import KEY, listing
from projects.actions import elsewhere as actions
from projects.adopting import bound_in
from projects.elsewhere import makers_on, newest_look
from projects.filters import FOREIGN_SHOWN, ForeignFilter
from projects.models import ForeignHIT, Project
from projects.models.foreign_hit import ForeignHITQuerySet
from projects.states import HITStatus

# What is sent ------------------------------------------------------------------------------------


class FilterFields(Fields):
    text = Text(required=False, max_length=200, help_text="A piece of the title, or a HITId.")
    hit_type_id = Text(required=False, max_length=64, source="hit_type")
    maker = serializers.UUIDField(
        required=False, help_text="HITs of this other installation, which may still work with them."
    )
    confirmed = serializers.BooleanField(
        required=False, help_text="That you know whose they are: with maker, and needed there."
    )


class HITsElsewhereQuery(FilterFields, PageFields):
    show = serializers.ChoiceField(list(FOREIGN_SHOWN.items()), required=False)


class IntoProjectBody(Fields):
    project = serializers.UUIDField(required=False, help_text="A new project for each title, unless given.")


class AdoptBody(FilterFields, IntoProjectBody):
    """These HITs, or all that match; all that no other installation has made where nothing is given."""

    hit_ids = serializers.ListField(
        child=Text(max_length=64), required=False, max_length=10_000, help_text="MTurk's: these alone."
    )
    show = serializers.ChoiceField(
        [(value, words) for value, words in FOREIGN_SHOWN.items() if value != "gone"], required=False
    )


# What comes back ---------------------------------------------------------------------------------


class HITElsewhere(serializers.Serializer[Any]):
    hit_id = serializers.CharField(source="mturk_id")
    hit_type_id = serializers.CharField()
    hit_group_id = serializers.CharField()
    title = serializers.CharField()
    hit_status = serializers.ChoiceField(HITStatus.choices)
    reward = Dollars()
    max_assignments = serializers.IntegerField()
    number_of_assignments_available = serializers.IntegerField(source="available")
    number_of_assignments_pending = serializers.IntegerField(source="pending")
    number_of_assignments_completed = serializers.IntegerField(
        source="completed", help_text="Approved or rejected."
    )
    waiting = serializers.IntegerField(help_text="Answers nobody has decided, as far as these numbers tell.")
    bound = serializers.SerializerMethodField(
        help_text="What may still have to be paid for it, fee included."
    )
    creation_time = serializers.DateTimeField(source="mturk_created_at")
    expiration = serializers.DateTimeField(source="expires_at")
    requester_annotation = serializers.CharField(source="annotation")
    maker = serializers.UUIDField(
        source="installation",
        allow_null=True,
        help_text="The installation of this dashboard whose name it carries; null for a script or the requester site.",
    )
    first_seen_at = serializers.DateTimeField()
    changed_at = serializers.DateTimeField(help_text="When something of it was last seen to have changed.")
    gone_at = serializers.DateTimeField(allow_null=True, help_text="When MTurk no longer listed it.")

    @extend_schema_field(Dollars)
    def get_bound(self, foreign: ForeignHIT) -> Any:
        return Dollars().to_representation(bound_in(foreign, self.context["connection"].fee_schedule))


class MakerField(serializers.Serializer[Any]):
    maker = serializers.UUIDField(
        source="installation", allow_null=True, help_text="null for scripts and the requester site."
    )
    is_other = serializers.BooleanField(help_text="Another installation, which may still work with them.")
    hits = serializers.IntegerField()
    waiting = serializers.IntegerField(help_text="Answers nobody has decided.")


class LookShown(serializers.Serializer[Any]):
    """What is known of an account, and since when."""

    looked_at = serializers.DateTimeField(
        allow_null=True, help_text="When it was last looked through from end to end; null for never."
    )
    is_looking = serializers.BooleanField(help_text="It is being looked through, or soon will be.")
    makers = MakerField(many=True, help_text="Who has made what is listed.")


# Addresses ---------------------------------------------------------------------------------------


class ElsewhereView(ApiView):
    """Whatever is about what was made elsewhere on one connection."""

    def connection(self, public_id: uuid.UUID) -> Connection:
        """One of the team's own account; to whom it is lent it is not theirs to look into."""
        found = find(Connection.objects.for_actor(self.actor).select_related("account__team"), public_id)
        check_can(self.actor, Permission.HIT_ADOPT, found.account.team_id)
        return found

    def project(self, asked: dict[str, Any]) -> Project | None:
        if "project" not in asked:
            return None
        found = Project.objects.for_actor(self.actor).filter(public_id=asked["project"]).first()
        if found is None:
            raise fields_refused({"project": [f"The team has no project {asked['project']}."]})
        return found


class HITsElsewhere(ElsewhereView):
    @extend_schema(
        operation_id="connections_hits_elsewhere",
        parameters=[HITsElsewhereQuery],
        responses=listing(HITElsewhere),
    )
    def get(self, request: Request, public_id: uuid.UUID) -> Response:
        """HITs of the account that were not made here, filtered as on the page Made elsewhere, the newest first."""
        connection = self.connection(public_id)
        asked = self.query(HITsElsewhereQuery)
        chosen = _filter(asked)
        check_place(ForeignHIT.objects.order_by("-id"), asked)
        page = chosen.page(connection, asked.get("at", ""), asked.get("page_size", USUAL), total=0)
        return listed(request, page, lambda hits: _shown(connection, hits))


class Look(ElsewhereView):
    @extend_schema(operation_id="connections_look_get", responses=LookShown)
    def get(self, request: Request, public_id: uuid.UUID) -> Response:
        """When the account was last looked through, and who has made what was found."""
        return self.shown(self.connection(public_id))

    @extend_schema(operation_id="connections_look", request=None, responses=LookShown)
    def post(self, request: Request, public_id: uuid.UUID) -> Response:
        """Have the account looked through now instead of at the next time."""
        self.body(Fields)
        connection = self.connection(public_id)
        actions.look_elsewhere(connection, by=self.actor)
        connection.refresh_from_db()
        return self.shown(connection)

    def shown(self, connection: Connection) -> Response:
        newest = newest_look(connection)
        told = {
            "looked_at": newest and newest.begun_at,
            "is_looking": connection.is_being_swept,
            "makers": makers_on(connection),
        }
        return Response(LookShown(told).data)


class Adopt(ElsewhereView):
    @extend_schema(
        operation_id="connections_adopt", parameters=[KEY], request=AdoptBody, responses={202: JobShown}
    )
    @once
    def post(self, request: Request, public_id: uuid.UUID) -> Response:
        """Adopt HITs made elsewhere, exactly those there are now; a Job does it, and MTurk is told nothing."""
        connection = self.connection(public_id)
        asked = self.body(AdoptBody)
        job = actions.adopt_hits(
            connection,
            _chosen(connection, asked),
            by=self.actor,
            project=self.project(asked),
            confirmed=[asked["maker"]] if "maker" in asked else [],
        )
        return Response(JobShown(job).data, status=202)


class ImportHistory(ElsewhereView):
    @extend_schema(
        operation_id="connections_import_history",
        parameters=[KEY],
        request=IntoProjectBody,
        responses={202: JobShown},
    )
    @once
    def post(self, request: Request, public_id: uuid.UUID) -> Response:
        """Adopt everything no other installation has made, with all answers; a Job does it, and one that runs is answered."""
        connection = self.connection(public_id)
        project = self.project(self.body(IntoProjectBody))
        job = actions.import_history(connection, by=self.actor, project=project)
        return Response(JobShown(job).data, status=202)


def _filter(asked: dict[str, Any]) -> ForeignFilter:
    """The page's; whoever names another installation has to say that they know whose HITs these are."""
    if "maker" in asked and not asked.get("confirmed"):
        raise fields_refused(
            {
                "confirmed": [
                    f"The installation {asked['maker']} may still work with its HITs. Send confirmed=true if you know "
                    "whose they are."
                ]
            }
        )
    if asked.get("confirmed") and "maker" not in asked:
        raise fields_refused({"maker": ["Say whose HITs these are: send the installation as maker, too."]})
    return ForeignFilter.read(asked)


def _chosen(connection: Connection, asked: dict[str, Any]) -> ForeignHITQuerySet:
    chosen = _filter(asked)
    if "hit_ids" not in asked:
        return chosen.apply(connection).listed()
    if any(name in asked for name in ("show", "text", "hit_type")):
        raise fields_refused({"hit_ids": ["Send these or a filter, not both."]})
    names = set(asked["hit_ids"])
    found = ForeignHIT.objects.listed().filter(connection=connection, mturk_id__in=names)
    if unknown := sorted(names - set(found.values_list("mturk_id", flat=True))):
        told = ", ".join(unknown[:5])
        raise Refused(
            f"{len(unknown):,} of these are not listed as made elsewhere on {connection}: {told}"
            f"{' …' if len(unknown) > 5 else ''}. Nothing was adopted.",
            errors={"hit_ids": unknown[:50]},
        )
    return found


def _shown(connection: Connection, hits: Iterable[ForeignHIT]) -> list[Any]:
    return list(HITElsewhere(hits, many=True, context={"connection": connection}).data)
