import os
from collections.abc import Callable

import pytest

if os.environ.get("DJANGO_SETTINGS_MODULE") != "marketplace.settings":
    collect_ignore_glob = ["*test_*.py"]
else:
    from django.test import Client

    from marketplace import clock
    from marketplace.models import HIT, Worker
    from tests.marketplace.conftest import Market

SCHEMAS = "http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/"


def html_question(html: str, height: int = 0) -> str:
    return (
        f'<HTMLQuestion xmlns="{SCHEMAS}2011-11-11/HTMLQuestion.xsd"><HTMLContent><![CDATA[{html}]]></HTMLContent>'
        f"<FrameHeight>{height}</FrameHeight></HTMLQuestion>"
    )


def external_question(url: str) -> str:
    return (
        f'<ExternalQuestion xmlns="{SCHEMAS}2006-07-14/ExternalQuestion.xsd"><ExternalURL>{url}</ExternalURL>'
        "<FrameHeight>500</FrameHeight></ExternalQuestion>"
    )


@pytest.fixture
def wanda(db: None) -> "Worker":
    """Wanda, who works here."""
    wanda = Worker(email="wanda@example.org", name="Wanda", created_at=clock.now())
    wanda.set_password("colours and numbers")
    wanda.save()
    return wanda


@pytest.fixture
def browser_of() -> "Callable[[Worker], Client]":
    """A browser in which this Worker is signed in."""

    def sign_in(worker: "Worker") -> "Client":
        client = Client()
        client.force_login(worker)
        return client

    return sign_in


@pytest.fixture
def wandas(wanda: "Worker", browser_of: "Callable[[Worker], Client]") -> "Client":
    return browser_of(wanda)


@pytest.fixture
def hit(market: "Market") -> "HIT":
    return market.create_hit(Question=html_question("<form><input name=colour></form>"), MaxAssignments=2)
