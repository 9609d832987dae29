"""How much the dashboard takes of one request; more is refused in a sentence, never a 500."""

import pytest
from django.test import Client
from django.urls import reverse

from tests.factories import HITTemplateFactory, ProjectFactory

pytestmark = pytest.mark.django_db


def test_a_request_larger_than_its_address_wants_is_refused_before_it_is_read():
    response = Client().post(
        "/account/login/", b"x", content_type="text/plain", CONTENT_LENGTH=str(7 * 1024 * 1024)
    )

    assert response.status_code == 413
    assert "larger than 6 MB" in response.content.decode()


@pytest.mark.parametrize("length", ["-1", "1e3", "9" * 40])
def test_a_length_that_is_none_is_refused(length):
    assert Client().get("/healthz", CONTENT_LENGTH=length).status_code == 413


def test_only_where_files_are_uploaded_a_request_may_be_as_large_as_the_largest(olive):
    project = ProjectFactory(team=olive.team, created_by=olive.user)
    HITTemplateFactory(project=project)
    address = reverse("projects:upload_batch", args=[project.public_id])

    told = [
        olive.client.post(
            address, b"", content_type="text/plain", CONTENT_LENGTH=str(megabytes * 1024 * 1024)
        )
        for megabytes in (100, 300)
    ]

    assert [response.status_code for response in told] != [413, 413]
    assert told[1].status_code == 413
    assert "larger than 220 MB" in told[1].content.decode()


@pytest.mark.parametrize(
    "body", ["a=1&" * 6000, "html=" + "x" * 5_500_000], ids=["too many fields", "too much text"]
)
def test_a_form_beyond_djangos_bounds_is_refused_in_words(olive, body):
    project = ProjectFactory(team=olive.team, created_by=olive.user)
    address = reverse("projects:check_template", args=[project.public_id])

    response = olive.client.post(address, body, content_type="application/x-www-form-urlencoded")

    assert response.status_code == 400
    assert "larger than 5 MB" in response.content.decode()


def test_a_form_that_is_cut_off_is_no_fault_of_ours(olive):
    project = ProjectFactory(team=olive.team, created_by=olive.user)
    address = reverse("projects:check_template", args=[project.public_id])

    response = olive.client.post(address, b"--x\r\nnothing", content_type="multipart/form-data; boundary=x")
    no_boundary = olive.client.post(address, b"x", content_type="multipart/form-data")

    assert response.status_code in (200, 400)
    assert no_boundary.status_code == 400
