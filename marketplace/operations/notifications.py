"""Where a requester wants to hear of what happens to HITs of a type."""

import re
from urllib.parse import urlsplit

from marketplace import delivering
from marketplace.call import Call, Members
from marketplace.errors import hit_type_does_not_exist, invalid, invalid_value, request_error
from marketplace.identifiers import new_entity_id
from marketplace.models import HITType, Notification, Requester
from marketplace.outbox import describe_event

VERSIONS = {"2006-05-05", "2014-08-15"}
_TOPIC = re.compile(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,256}\Z")
_ONLY_A_TEST = "Ping"


def update_notification_settings(call: Call, members: Members) -> None:
    """Say where notifications of a HITType go, or switch them on and off; there is one place per type."""
    specification, active = members.get("Notification"), members.get("Active")
    if specification is None and active is None:
        raise invalid("Either Notification or Active must be given.")
    if specification is not None:
        _check_form(specification)
        if _ONLY_A_TEST in specification["EventTypes"]:
            raise invalid_value("EventTypes", _ONLY_A_TEST)
    types = HITType.objects.filter(requester=call.requester_id, mturk_id=members["HITTypeId"])
    hit_type = types.first()
    if hit_type is None:
        raise hit_type_does_not_exist(members["HITTypeId"])
    if specification is None:
        if hit_type.notification is None:
            raise invalid("This HITType has no Notification yet. Give one together with Active.")
        types.update(notification_active=active)
        return
    _check_listed(specification)
    types.update(notification=specification, notification_active=active is not False)


def send_test_event_notification(call: Call, members: Members) -> None:
    """Send one event about nothing at once, whatever EventTypes says."""
    specification, event_type = members["Notification"], members["TestEventType"]
    _check_form(specification)
    _check_listed(specification)
    event = describe_event(
        event_type,
        hit_id=new_entity_id(),
        hit_type_id=new_entity_id(),
        assignment_id=new_entity_id() if event_type.startswith("Assignment") else None,
        now=call.now,
    )
    notification = Notification(
        requester=Requester.objects.get(pk=call.requester_id),
        transport=specification["Transport"],
        destination=specification["Destination"],
        event=event,
    )
    try:
        delivering.send(notification)
    except delivering.Undeliverable as error:
        raise _unusable(f"The test event could not be delivered: {error}") from None


def _check_form(specification: Members) -> None:
    if specification["Version"] not in VERSIONS:
        raise invalid_value("Version", specification["Version"])
    if not specification["EventTypes"]:
        raise invalid("EventTypes is empty. Name the events to be told of.")
    transport, destination = specification["Transport"], specification["Destination"]
    if transport == "SNS" and not _TOPIC.match(destination):
        raise invalid_value("Destination", destination)
    if transport == "SQS" and not _is_address(destination):
        raise invalid_value("Destination", destination)


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and text.isprintable()
    except ValueError:
        return False


def _check_listed(specification: Members) -> None:
    transport, destination = specification["Transport"], specification["Destination"]
    if transport == "Email":
        raise _unusable("This marketplace sends no e-mail. Use the transport SQS or SNS.")
    if not delivering.is_listed(transport, destination):
        raise _unusable(
            "The operator of this marketplace does not list this Destination. Ask them to add it to "
            "MARKETPLACE_NOTIFICATION_ENDPOINTS."
        )


def _unusable(sentence: str) -> Exception:
    return request_error("InvalidTransportEndpoint", sentence)
