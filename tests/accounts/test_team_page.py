from django.urls import reverse

from mturkhub.accounts.permissions import Role


def test_the_team_page_names_members_and_what_each_role_may_do(vera, olive, stan):
    page = vera.client.get(reverse("accounts:team")).content.decode()

    assert "olive@example.org" in page
    assert "stan@example.org" not in page
    for role in Role:
        assert role.sentence in page
