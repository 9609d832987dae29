"""What a person can ask of a project: make it, change it, save another version of its template."""

import re
from collections.abc import Collection
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models import Max

from mturkhub.accounts.activity import record
from mturkhub.accounts.actors import Actor
from mturkhub.accounts.models import Team
from mturkhub.accounts.permissions import Permission, check_can
from mturkhub.common.errors import ActionRefused
from mturkhub.common.limits import limit_in_words
from projects.models import HITTemplate, Project

# Past this no question could fit into MTurk's 65,535 bytes, however short its values.
TEMPLATE_MAX_BYTES = 200_000
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def create_project(
    team: Team, *, by: Actor, name: str, title: str, description: str, reward: Decimal, **more: Any
) -> Project:
    """A new project; raises ActionRefused naming the field where MTurk would refuse a value."""
    check_can(by, Permission.PROJECT_EDIT, team)
    if by.user is None:
        raise ActionRefused("A project belongs to a person. Sign in, then make it.", status=403)
    project = Project(
        team=team,
        name=name,
        title=title,
        description=description,
        reward=reward,
        created_by=by.user,
        **more,
    )
    check_fields(project)
    with transaction.atomic():
        project.save()
        record(by, "project.created", project, team_id=team.pk)
    return project


def update_project(project: Project, *, by: Actor, **changes: Any) -> Project:
    """Change settings for batches to come; published ones keep theirs."""
    check_can(by, Permission.PROJECT_EDIT, project.team_id)
    with transaction.atomic():
        project = Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        before = {name: getattr(project, name) for name in changes}
        for name, value in changes.items():
            setattr(project, name, value)
        check_fields(project)
        project.save()
        changed = sorted(name for name, value in before.items() if value != getattr(project, name))
        record(by, "project.changed", project, team_id=project.team_id, fields=changed)
    return project


def save_template(project: Project, html: str, *, by: Actor) -> HITTemplate:
    """A new version of the project's HTML; started batches keep theirs. The same HTML again is no new version."""
    check_can(by, Permission.PROJECT_EDIT, project.team_id)
    if by.user is None:
        raise ActionRefused("A template belongs to a person. Sign in, then save it.", status=403)
    html = check_html(html)
    with transaction.atomic():
        Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        latest = project.templates.order_by("is_adopted", "-version").first()
        if latest is not None and latest.html == html:
            return latest
        template = HITTemplate.objects.create(
            team_id=project.team_id,
            project=project,
            version=next_version(project),
            html=html,
            created_by=by.user,
        )
        record(by, "template.saved", template, team_id=project.team_id, version=template.version)
    return template


def next_version(project: Project) -> int:
    """The number of the version that is saved next; adopted ones count as well."""
    return (project.templates.aggregate(newest=Max("version"))["newest"] or 0) + 1


def check_html(html: str) -> str:
    """The HTML as it is stored, with plain line ends; raises ActionRefused when it can be no template."""
    html = html.replace("\r\n", "\n")
    if not html.strip():
        raise ActionRefused("The template is empty. Write the HTML a Worker shall see.", status=400)
    if found := _UNSTORABLE.search(html):
        line = html.count("\n", 0, found.start()) + 1
        raise ActionRefused(
            f"Line {line} of the template holds the character U+{ord(found[0]):04X}. Take it out, then save.",
            status=400,
        )
    if (size := len(html.encode())) > TEMPLATE_MAX_BYTES:
        raise ActionRefused(
            f"The template has {size:,} bytes; a question may have 65,535 at most. Shorten it.", status=400
        )
    return html


def check_fields(row: models.Model, *, only: Collection[str] | None = None) -> None:
    """Raise ActionRefused with each field's sentence; forms have checked before, scripts have not."""
    try:
        if only is None:
            row.full_clean()
        else:
            row.clean_fields(exclude={field.name for field in row._meta.get_fields()} - set(only))
    except ValidationError as error:
        sentences = [
            limit_in_words(name, each) or f"{name}: {' '.join(each.messages)}"
            for name, errors in sorted(error.error_dict.items())
            for each in errors
        ]
        raise ActionRefused(" ".join(sentences), status=400) from error
