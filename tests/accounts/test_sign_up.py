import pytest
from django.urls import reverse

from mturkhub.accounts.models import User


@pytest.mark.django_db
def test_nobody_signs_up_by_themselves(client):
    typed = {"email": "stan@example.org", "password1": "correct horse battery"}

    page = client.post(reverse("account_signup"), typed)

    assert not User.objects.exists()
    assert page.status_code == 200


def test_signing_in_with_email_and_password_whatever_the_case(client, olive):
    olive.user.set_password("correct horse battery")
    olive.user.save()

    answer = client.post(
        reverse("account_login"), {"login": "OLIVE@example.org", "password": "correct horse battery"}
    )

    assert answer.status_code == 302
    assert client.session["_auth_user_id"] == str(olive.user.pk)
