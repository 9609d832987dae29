"""Every page in both themes, on a desk and on a phone: axe finds nothing, nothing is wider than the window,
the console stays silent, and with it the content security policy."""

import time
import uuid
from collections.abc import Callable
from decimal import Decimal

import pytest
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, generate_totp_secret, hotp_value
from playwright.sync_api import Page
from pytest_django import Settings

from mturkhub.accounts.models import NotificationQueue
from mturkhub.accounts.sign_in_links import new_sign_in_link
from mturkhub.common import clock
from projects import importing
from projects.actions.budgets import set_budget
from projects.actions.continuing import continue_batch
from projects.actions.results import import_results, upload_results
from projects.models import Assignment, Batch, BudgetPeriod, ForeignHIT, HITType, ResultsUpload
from tests.conftest import Person
from tests.factories import ApiTokenFactory, AssignmentFactory, BatchFactory, HITFactory, ProjectFactory
from tests.look.conftest import LONG, UNBROKEN, Asked, Lab, address
from tests.look.looking import faults_of, looked_at
from tests.projects.large import fill
from tests.projects.test_importing_results import results
from tests.projects.test_made_elsewhere import fill_account
from tests.test_permission_matrix import TABLE

pytestmark = pytest.mark.django_db(transaction=True)
Window = Callable[[Person | None], Page]


def test_the_styleguide(olive: Person, window_of: Window) -> None:
    assert faults_of(window_of(olive), [address("styleguide")]) == []


def test_the_styleguides_dialog(olive: Person, window_of: Window) -> None:
    def open_it(page: Page) -> None:
        page.get_by_role("button", name="Open a dialog").click()

    assert faults_of(window_of(olive), [address("styleguide")], prepare=open_it) == []


def test_pages_of_a_batch_at_work(olive: Person, lab: Lab, window_of: Window) -> None:
    # Then what is new since then is offered, too.
    b"".join(olive.client.get(address("projects:results_jsonl", lab.batch.public_id)).streaming_content)
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


def test_the_buttons_of_a_review_hold_their_words_on_a_phone(
    olive: Person, lab: Lab, window_of: Window
) -> None:
    left_out = Assignment.objects.get(batch=lab.batch, left_out_at__isnull=False)
    olive.client.post(address("projects:approve", left_out.public_id))
    page = window_of(olive)
    page.set_viewport_size({"width": 390, "height": 844})

    page.goto(f"{address('projects:review_batch', lab.batch.public_id)}?show=all&answer={left_out.public_id}")

    buttons = page.locator(".decide-more .btn")
    names = {name.split(maxsplit=1)[0] for name in buttons.all_inner_texts()}
    assert names == {"Bonus…", "Count", "Undo", "Previous", "Next"}
    widths = buttons.evaluate_all("all => all.map(each => each.scrollWidth - each.clientWidth)")
    assert max(widths) == 0


def test_pages_of_a_full_batch(olive: Person, lab: Lab, window_of: Window) -> None:
    full = BatchFactory(
        project=lab.project, connection=lab.batch.connection, name="Full", columns=["text"], published=True
    )
    fill(full, 50_000, hit_type=HITType.objects.filter(connection=full.connection)[0])
    batch = full.public_id

    assert (
        faults_of(
            window_of(olive),
            [
                address("projects:batch", batch),
                address("projects:batch_rows", batch),
                f"{address('projects:batch_rows', batch)}?at=%3E49950",
                address("projects:review_batch", batch),
                f"{address('projects:decide_many', batch)}?verdict=approve",
            ],
        )
        == []
    )


def test_pages_of_what_was_made_elsewhere(olive: Person, lab: Lab, window_of: Window) -> None:
    connection = lab.batch.connection.public_id
    empty = [address("projects:made_elsewhere", connection), address("accounts:connection", connection)]
    assert faults_of(window_of(olive), empty) == []
    fill_account(lab.batch.connection, 50_000)
    maker = uuid.uuid4()
    ForeignHIT.objects.filter(mturk_id__in=["3OLD7", "3OLD8"]).update(
        installation=maker, title=LONG, annotation=UNBROKEN
    )

    assert (
        faults_of(
            window_of(olive),
            [
                *empty,
                f"{address('projects:made_elsewhere', connection)}?text=nothing",
                f"{address('projects:made_elsewhere', connection)}?maker={maker}&confirmed=1",
                address("projects:adopt", connection),
                f"{address('projects:adopt', connection)}?maker={maker}&confirmed=1",
                address("projects:import_history", connection),
            ],
        )
        == []
    )


def test_pages_of_a_results_file(olive: Person, lab: Lab, window_of: Window) -> None:
    connection = lab.batch.connection

    def upload(text: str | bytes) -> str:
        chunks = [text if isinstance(text, bytes) else text.encode()]
        made = upload_results(
            lab.project, by=olive.actor, connection=connection, name="results.csv", chunks=chunks
        )
        return address("projects:import_results", made.public_id)

    bad = {"AssignmentId": "3OTHER", "SubmitTime": UNBROKEN}
    pages = [
        address("projects:upload_results", lab.project.public_id),
        upload(results({}, bad)),
        upload("text\nhello\n"),
        upload(results({}).encode("cp1252")),
    ]
    upload(results({}))
    importing.run(import_results(ResultsUpload.objects.latest("pk"), by=olive.actor))
    batch = Batch.objects.get(imported_at__isnull=False).public_id

    assert (
        faults_of(
            window_of(olive),
            [
                *pages,
                address("projects:import_results", ResultsUpload.objects.latest("pk").public_id),
                address("projects:batch", batch),
                address("projects:row", batch, 1),
            ],
        )
        == []
    )


def test_pages_that_change_a_batch(olive: Person, lab: Lab, window_of: Window) -> None:
    def open_menu(page: Page) -> None:
        page.get_by_label("More to do with this batch").click()

    def compute(page: Page) -> None:
        page.get_by_label("Bonus for the Worker").fill("0.50")
        page.get_by_label("What the Worker will read").fill("Careful work")
        page.get_by_role("button", name="Compute").click()
        page.get_by_role("button", name="Send the bonus for $0.60").wait_for()

    batch, window = lab.batch.public_id, window_of(olive)
    stopped = BatchFactory(
        project=lab.project,
        connection=lab.production.connection,
        columns=["text"],
        rows=1,
        published=True,
        requeue_most=50,
        requeue_limit=Decimal("6.00"),
        requeue_stopped=LONG,
    )
    assert (
        faults_of(
            window,
            [
                address("projects:extend", batch),
                f"{address('projects:extend', batch)}?answers=7&row=1",
                f"{address('projects:extend', batch)}?answers=0",
                address("projects:more_time", batch),
                address("projects:expire", batch),
                address("projects:cancel", batch),
                address("projects:close", batch),
                address("projects:bonus", lab.decided.public_id),
                address("projects:batch", lab.trial.public_id),
                address("projects:publish_rest", lab.trial.public_id),
                address("projects:republish", lab.trial.public_id),
                address("projects:requeue", batch),
                f"{address('projects:requeue', batch)}?most=50&limit=6.00",
                f"{address('projects:requeue', batch)}?most=50&limit=0.01",
                address("projects:requeue", stopped.public_id),
                address("projects:batch", stopped.public_id),
                address("projects:cost", lab.scheduled.public_id),
            ],
        )
        == []
    )
    assert faults_of(window, [address("projects:batch", batch)], prepare=open_menu) == []
    assert faults_of(window, [address("projects:bonus", lab.decided.public_id)], prepare=compute) == []


def test_pages_of_a_batch_that_continues_another(olive: Person, lab: Lab, window_of: Window) -> None:
    first = BatchFactory(
        project=lab.project,
        connection=lab.batch.connection,
        name=UNBROKEN[:90],
        columns=["text"],
        rows=[{"text": LONG}, {"text": UNBROKEN}],
        published=True,
    )
    AssignmentFactory(hit=first.hits.order_by("pk")[0], answer__fields={"why": [LONG]}, status="Rejected")
    first.hits.update(hit_status="Reviewable")
    further = continue_batch(first, by=olive.actor)
    Batch.objects.filter(pk=further.pk).update(
        state="live", published_at=clock.now(), published_by=olive.user
    )
    AssignmentFactory(hit=HITFactory(row=further.rows.get(number=1), published=True))
    first.hits.update(max_assignments=5)
    draft = continue_batch(first, by=olive.actor)

    assert (
        faults_of(
            window_of(olive),
            [
                address("projects:republish", first.public_id),
                address("projects:cost", draft.public_id),
                address("projects:batch", first.public_id),
                address("projects:batch", further.public_id),
                address("projects:row", first.public_id, 1),
                address("projects:row", further.public_id, 1),
                address("projects:batch_export", first.public_id),
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
    everybody, me = {"target": None}, {"target": olive.user}
    for limit, period, whose in ((500, "month", everybody), (1, "none", everybody), (20, "none", me)):
        set_budget(olive.team, by=olive.actor, limit=Decimal(limit), period=BudgetPeriod(period), **whose)
    NotificationQueue.objects.create(
        connection=lab.batch.connection,
        url=f"https://sqs.us-east-1.amazonaws.com/123456789012/{UNBROKEN[:80]}",
        **dict.fromkeys(["test_sent_at", "last_event_at", "read_at", "problem_at"], clock.now()),
        last_event="AssignmentSubmitted",
        problem=f"There is no queue {UNBROKEN[:80]} at sqs.us-east-1.amazonaws.com. Was it deleted?",
        ignored=12_345,
        ignored_last="a message that is not JSON",
    )
    assert (
        faults_of(
            window_of(olive),
            [
                address("projects:home"),
                address("projects:review"),
                address("projects:money"),
                address("projects:ledger"),
                f"{address('projects:ledger')}?connection={connection}",
                address("projects:cost", lab.draft.public_id),
                address("accounts:team"),
                address("accounts:connections"),
                address("accounts:connection", connection),
                address("accounts:create_connection"),
                address("accounts:replace_keys", connection),
                address("accounts:set_queue", connection),
                address("accounts:account", lab.batch.connection.account.public_id),
                address("projects:activity"),
                f"{address('projects:activity')}?batch={lab.batch.public_id}&kind=assignment",
            ],
        )
        == []
    )


def test_pages_of_people_and_teams(
    olive: Person, mina: Person, people: Asked, window_of: Window, settings: Settings
) -> None:
    def ask(page: Page) -> None:
        page.get_by_label("E-mail address").fill("nina@example.org")
        page.get_by_role("button", name="Make an invitation link").click()
        page.get_by_label("The link for nina@example.org").wait_for()

    def open_menu(page: Page) -> None:
        page.locator(".top-person").click()

    window = window_of(olive)
    assert (
        faults_of(
            window,
            [
                address("accounts:team"),
                address("accounts:member", mina.user.public_id),
                address("accounts:member", people.gone.public_id),
                address("accounts:team_settings"),
                address("accounts:leave_team"),
                address("accounts:create_team"),
                address("accounts:person"),
                address("accounts:sessions"),
                address("account_set_password"),
                people.link,
            ],
        )
        == []
    )
    assert faults_of(window, [address("accounts:team")], prepare=ask) == []
    assert faults_of(window, [address("accounts:create_team")], prepare=open_menu) == []
    assert faults_of(window_of(people.teamless), [address("projects:home"), address("accounts:person")]) == []
    settings.MAIL_IS_CONFIGURED = True
    assert (
        faults_of(
            window_of(None),
            [
                people.link,
                people.sign_in_link,
                address("account_reset_password"),
                address("account_reset_password_done"),
                address("account_reset_password_from_key_done"),
                address("account_reset_password_from_key", "1", "wrong"),
                address("account_inactive"),
                address("account_signup"),
            ],
        )
        == []
    )


def test_pages_of_tokens(olive: Person, mina: Person, window_of: Window) -> None:
    def make(page: Page) -> None:
        page.get_by_label("Name").fill("notebook on my laptop")
        page.get_by_label("publish").check()
        page.get_by_role("button", name="Make the token").click()
        page.get_by_text("Copy it now").wait_for()

    page = address("accounts:tokens")
    assert faults_of(window_of(mina), [page]) == []
    assert faults_of(window_of(mina), [page], prepare=make) == []
    ApiTokenFactory(
        membership=olive.membership, name="over", expires_at=clock.now(), last_used_at=clock.now()
    )
    assert faults_of(window_of(olive), [page]) == []


def test_the_page_about_the_api(olive: Person, window_of: Window) -> None:
    def open_some(page: Page) -> None:
        page.evaluate(
            "document.querySelectorAll('details.operation').forEach((each, n) => each.open = n % 4 == 0)"
        )

    assert faults_of(window_of(olive), [address("api:docs")], prepare=open_some) == []


def test_pages_of_a_second_factor(mina: Person, window_of: Window) -> None:
    window = window_of(mina)
    new = [address("mfa_index"), address("mfa_activate_totp"), address("mfa_add_webauthn")]
    assert faults_of(window, new) == []

    secret = generate_totp_secret()
    TOTP.activate(mina.user, secret)
    RecoveryCodes.activate(mina.user)
    asked = f"{address('mfa_reauthenticate')}?next={address('mfa_index')}"
    assert faults_of(window, [address("mfa_index"), asked]) == []
    window.goto(asked)
    window.get_by_label("Code").fill(format_hotp_value(hotp_value(secret, int(time.time()) // 30)))
    window.get_by_role("button", name="Go on").click()
    window.get_by_role("heading", name="Second factor").wait_for()
    kept = [
        address("mfa_view_recovery_codes"),
        address("mfa_generate_recovery_codes"),
        address("mfa_deactivate_totp"),
        address("mfa_list_webauthn"),
    ]
    assert faults_of(window, kept) == []


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
                address("projects:ledger"),
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
        page.get_by_role("button", name="Sign in", exact=True).click()
        page.locator(".strip-red").wait_for()

    window = window_of(None)
    assert faults_of(window, [address("account_login"), address("account_reset_password"), "/nothing/"]) == []
    assert faults_of(window, [address("account_login")], prepare=mistype) == []


def test_pages_that_stand_on_the_way_in_and_out(olive: Person, window_of: Window) -> None:
    link = new_sign_in_link(olive.user).partition("/sign-in/")[2].rstrip("/")
    assert faults_of(window_of(None), [address("accounts:sign_in_link", link)]) == []
    assert (
        faults_of(
            window_of(olive),
            [
                address("account_logout"),
                address("account_confirm_email", "wrong"),
                address("account_email_verification_sent"),
                address("accounts:change_email"),
            ],
        )
        == []
    )


# What answers with 200 and is no page: files, parts of pages, frames, and what programs ask for.
NO_PAGES = {
    "healthz",
    "projects:bad_lines",
    "projects:bad_result_lines",
    "projects:batch_figures",
    "projects:download_activity",
    "projects:download_ledger",
    "projects:preview",
    "projects:results_csv",
    "projects:results_json",
    "projects:results_jsonl",
    "projects:row_jsonl",
    # A part of the connection's page.
    "projects:elsewhere_count",
    "projects:sample_file",
}


def test_every_page_of_the_permission_matrix_was_looked_at(request: pytest.FixtureRequest) -> None:
    ran = {item.originalname for item in request.session.items if isinstance(item, pytest.Function)}
    if not {name for name in globals() if name.startswith("test_")} <= ran:
        pytest.skip("only some of the looks were asked for")
    pages = {
        name
        for name, row in TABLE.items()
        if 200 in (row.statuses("get")["olive"], row.statuses("get")["nobody"])
    }

    assert pages - NO_PAGES - looked_at == set()
