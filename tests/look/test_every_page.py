"""Every page in both themes, on a desk and on a phone: axe finds nothing, nothing is wider than the window,
the console stays silent, and with it the content security policy."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from tests.conftest import Person
from tests.factories import BatchFactory, ProjectFactory
from tests.look.conftest import Lab, address
from tests.look.looking import faults_of

pytestmark = pytest.mark.django_db(transaction=True)
Window = Callable[[Person | None], Page]


def test_the_styleguide(olive: Person, window_of: Window) -> None:
    assert faults_of(window_of(olive), [address("styleguide")]) == []


def test_the_styleguides_dialog(olive: Person, window_of: Window) -> None:
    def open_it(page: Page) -> None:
        page.get_by_role("button", name="Open a dialog").click()

    assert faults_of(window_of(olive), [address("styleguide")], prepare=open_it) == []


def test_pages_of_a_batch_at_work(olive: Person, lab: Lab, window_of: Window) -> None:
    batch = lab.batch.public_id
    assert (
        faults_of(
            window_of(olive),
            [
                address("projects:batch", batch),
                address("projects:batch_rows", batch),
                address("projects:row", batch, 1),
                address("projects:review_batch", batch),
                f"{address('projects:review_batch', batch)}?show=all&answer={lab.decided.public_id}",
                f"{address('projects:decide_many', batch)}?verdict=reject",
                address("projects:batch_export", batch),
                address("projects:batch_activity", batch),
                address("projects:job", lab.job.public_id),
            ],
        )
        == []
    )


def test_pages_on_the_way_to_a_batch(olive: Person, lab: Lab, window_of: Window) -> None:
    project = lab.project.public_id
    assert (
        faults_of(
            window_of(olive),
            [
                address("projects:projects"),
                address("projects:project", project),
                address("projects:edit_project", project),
                address("projects:edit_template", project),
                address("projects:upload_batch", project),
                address("projects:check_upload", lab.good.public_id),
                address("projects:check_upload", lab.bad.public_id),
                address("projects:cost", lab.draft.public_id),
                address("projects:cost", lab.production.public_id),
            ],
        )
        == []
    )


def test_pages_of_the_whole_team(olive: Person, lab: Lab, window_of: Window) -> None:
    connection = lab.batch.connection.public_id
    assert (
        faults_of(
            window_of(olive),
            [
                address("projects:home"),
                address("projects:review"),
                address("accounts:team"),
                address("accounts:connections"),
                address("accounts:connection", connection),
                address("accounts:create_connection"),
                address("accounts:replace_keys", connection),
                address("accounts:account", lab.batch.connection.account.public_id),
                address("projects:activity"),
                f"{address('projects:activity')}?batch={lab.batch.public_id}&kind=assignment",
            ],
        )
        == []
    )


def test_pages_with_nothing_on_them_yet(olive: Person, window_of: Window) -> None:
    project = ProjectFactory(team=olive.team, created_by=olive.user)
    batch = BatchFactory(project=project, rows=1, published=True).public_id
    assert (
        faults_of(
            window_of(olive),
            [
                address("projects:home"),
                address("projects:review"),
                address("projects:activity"),
                address("accounts:connections"),
                address("projects:create_project"),
                address("projects:project", project.public_id),
                address("projects:edit_template", project.public_id),
                address("projects:batch", batch),
                address("projects:row", batch, 1),
                address("projects:review_batch", batch),
                f"{address('projects:batch_rows', batch)}?text=nowhere",
            ],
        )
        == []
    )


def test_pages_that_refuse(olive: Person, vera: Person, lab: Lab, window_of: Window) -> None:
    def save(page: Page) -> None:
        page.get_by_role("button", name="Make the project").click()
        page.get_by_text("Nothing was saved yet").wait_for()

    def reject(page: Page) -> None:
        page.locator(".decide-bar .btn-reject").click()

    def lend(page: Page) -> None:
        page.get_by_label("Share code of the other team").fill("nobody-at-all")
        page.get_by_role("button", name="Lend").click()
        page.get_by_text("No team has this share code").wait_for()

    window = window_of(olive)
    assert faults_of(window, [address("projects:create_project")], prepare=save) == []
    account = lab.batch.connection.account.public_id
    assert faults_of(window, [address("accounts:account", account)], prepare=lend) == []
    refused = lab.production.connection
    assert faults_of(window, [address("accounts:connection", refused.public_id)]) == []
    assert faults_of(window, [address("projects:review_batch", lab.batch.public_id)], prepare=reject) == []
    assert faults_of(window, ["/nothing/"]) == []
    assert (
        faults_of(
            window_of(vera),
            [
                address("projects:batch", lab.batch.public_id),
                address("projects:review_batch", lab.batch.public_id),
            ],
        )
        == []
    )


def test_pages_for_whoever_has_not_signed_in(window_of: Window) -> None:
    def mistype(page: Page) -> None:
        page.get_by_label("Email").fill("olive@example.org")
        page.get_by_label("Password").fill("mistyped")
        page.get_by_role("button", name="Sign in").click()
        page.locator(".strip-red").wait_for()

    window = window_of(None)
    assert faults_of(window, [address("account_login"), "/nothing/"]) == []
    assert faults_of(window, [address("account_login")], prepare=mistype) == []
