"""Against a server that hangs, cuts, and answers with nonsense: did it perhaps happen, can trying again help?"""

import json
import pickle
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from mturkhub.gateway import client
from mturkhub.gateway.client import MTurkGateway
from mturkhub.gateway.errors import MTurkError, existing_hit_id

KEY, SECRET = "AKIAFAULTSFAULTSFAUL", "a-secret-that-nobody-may-read"


class Server:
    """Answers every request as the test says, and counts them."""

    def __init__(self) -> None:
        self.behave: Callable[[BaseHTTPRequestHandler], None] = lambda handler: None
        self.requests: list[dict[str, object]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.requests.append(json.loads(body))
                outer.behave(self)

            def log_message(self, *args: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def answer(self, status: int, body: bytes | dict) -> None:
        self.behave = lambda handler: write(handler, status, body)


def write(handler: BaseHTTPRequestHandler, status: int, body: bytes | dict) -> None:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    handler.send_response(status)
    handler.send_header("Content-Type", "application/x-amz-json-1.1")
    handler.send_header("Content-Length", str(len(raw)))
    handler.send_header("x-amzn-RequestId", "7f1c")
    handler.end_headers()
    handler.wfile.write(raw)


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.http.shutdown()
    server.thread.join()
    server.http.server_close()


@pytest.fixture(autouse=True)
def short_patience(monkeypatch):
    monkeypatch.setattr(client, "READ_TIMEOUT", 0.3)
    monkeypatch.setattr(client, "CONNECT_TIMEOUT", 0.3)


def gateway(url: str) -> MTurkGateway:
    return MTurkGateway(url, KEY, SECRET)


def failure(call: Callable[[], object]) -> MTurkError:
    with pytest.raises(MTurkError) as caught:
        call()
    return caught.value


def approving(server: Server) -> MTurkError:
    return failure(lambda: gateway(server.url).approve_assignment("3A"))


# The line ----------------------------------------------------------------------------------------


def test_an_answer_that_does_not_come_in_time_may_have_happened(server):
    done = threading.Event()
    server.behave = lambda handler: done.wait(5)

    error = approving(server)
    done.set()

    assert (error.kind, error.may_have_happened, error.retry_can_help) == ("ReadTimeout", True, True)
    assert len(server.requests) == 1, "the only retry loop is that of the intentions"


def test_a_connection_cut_before_the_answer_may_have_happened(server):
    server.behave = lambda handler: handler.connection.shutdown(socket.SHUT_RDWR)

    error = approving(server)

    assert (error.kind, error.may_have_happened, error.retry_can_help) == ("ConnectionCut", True, True)


def test_an_answer_that_breaks_off_may_have_happened(server):
    def break_off(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(b'{"HIT')

    server.behave = break_off

    error = approving(server)

    assert (error.kind, error.may_have_happened) == ("UnreadableAnswer", True)


def test_a_connection_that_was_never_made_did_not_happen():
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"

        error = failure(lambda: gateway(url).approve_assignment("3A"))

    assert (error.kind, error.may_have_happened, error.retry_can_help) == ("ConnectionFailed", False, True)


def test_a_server_too_busy_to_take_the_connection_did_not_happen():
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        # What fills the queue; the next connection is left waiting.
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(address)

        error = failure(lambda: gateway(f"http://127.0.0.1:{address[1]}").approve_assignment("3A"))

        for each in waiting:
            each.close()
    assert (error.kind, error.may_have_happened, error.retry_can_help) == ("ConnectTimeout", False, True)


def test_a_server_that_speaks_no_tls_did_not_do_it(server):
    error = failure(lambda: gateway(server.url.replace("http:", "https:")).approve_assignment("3A"))

    assert (error.kind, error.may_have_happened) == ("TLSFailed", False)
    assert server.requests == []


# What comes back ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "body", "may_have_happened", "retry_can_help"),
    [
        # 5xx says nothing about what happened, whatever stands in it.
        (500, {"__type": "ServiceFault", "Message": "Try again"}, True, True),
        (500, b"", True, True),
        (503, b"<html>Service Unavailable</html>", True, True),
        (505, b"\xff\xfe\x00", True, True),
        (502, {"__type": "RequestError", "Message": "No"}, True, True),
        # The model flags this one as a fault, so it is none of MTurk's refusals.
        (400, {"__type": "ServiceFault", "Message": "Try again"}, True, True),
        # A 4xx without a type is not MTurk's own.
        (400, {"message": "Bad request"}, True, False),
        (403, b"<html>Blocked by the proxy</html>", True, False),
        (404, b"", True, False),
        (408, b"", True, True),
        (429, b"slow down", True, True),
        (302, b"", True, False),
        # MTurk's own.
        (400, {"__type": "RequestError", "Message": "No"}, False, False),
        (400, {"__type": "com.amazon#ParameterValidationError", "message": "No"}, False, False),
        (400, {"__type": "ThrottlingException", "message": "Rate exceeded"}, False, True),
        (400, {"__type": "AccessDeniedException", "message": "No"}, False, False),
        # A 200 that is no answer of MTurk to a write.
        (200, b"<html>Sign in to the hotel's network</html>", True, True),
        (200, b"", True, True),
        (200, b"[]", True, True),
        (200, b"{", True, True),
        (200, {"ok": True}, True, True),
        (200, b"\xff\xfe", True, True),
    ],
)
def test_what_is_known_of_a_write_after_an_answer(server, status, body, may_have_happened, retry_can_help):
    server.answer(status, body)

    error = approving(server)

    assert (error.may_have_happened, error.retry_can_help) == (may_have_happened, retry_can_help)
    assert error.sentence.endswith((".", "?")) or error.sentence.endswith("No")
    assert "\x00" not in error.details
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "body",
    [b"<html></html>", b"{}", b'{"HIT": {}}', b'{"HIT": {"HITId": "3A"}}', b'{"HIT": []}', b"null", b"\xff"],
)
def test_a_hit_that_cannot_be_read_may_have_been_made(server, body):
    server.answer(200, body)

    error = failure(lambda: gateway(server.url).get_hit("3A"))

    assert (error.kind, error.may_have_happened) == ("UnreadableAnswer", True)


def test_a_value_boto_refuses_was_never_sent(server):
    error = failure(lambda: gateway(server.url).get_hit(""))

    assert (error.kind, error.may_have_happened, error.retry_can_help) == ("ParamValidation", False, False)
    assert "HITId" in error.sentence
    assert server.requests == []


def test_a_list_whose_token_comes_twice_is_broken_off(server):
    server.answer(200, {"NumResults": 1, "NextToken": "again", "Assignments": [ASSIGNMENT]})

    error = failure(lambda: gateway(server.url).list_assignments_for_hit("3H"))

    assert error.kind == "UnreadableAnswer"
    assert "NextToken" in error.details
    assert len(server.requests) == 2


@pytest.mark.parametrize("body", [b"", b"<html></html>", b'{"NumResults": 100, "HITs": [{"HITId"', b"{}"])
def test_a_page_that_cannot_be_read_is_not_taken_for_the_last_one(server, body):
    server.answer(200, body)

    error = failure(lambda: list(gateway(server.url).list_hits()))

    assert error.kind == "UnreadableAnswer"


ASSIGNMENT = {
    "AssignmentId": "3A",
    "WorkerId": "AW",
    "HITId": "3H",
    "AssignmentStatus": "Submitted",
    "AcceptTime": 1558393704.123,
    "SubmitTime": 1558393764,
}


@pytest.mark.parametrize("token_with_last_page", [True, False])
def test_a_list_ends_with_an_empty_page_or_without_a_token(server, token_with_last_page):
    pages = [
        {"NumResults": 1, "NextToken": "p1", "Assignments": [ASSIGNMENT]},
        {"NumResults": 2, "Assignments": [ASSIGNMENT, {**ASSIGNMENT, "AssignmentId": "3B"}]},
    ]
    if token_with_last_page:
        pages[1]["NextToken"] = "p2"
        pages.append({"NumResults": 0, "Assignments": []})

    server.behave = lambda handler: write(handler, 200, pages[len(server.requests) - 1])

    listed = gateway(server.url).list_assignments_for_hit("3H")

    # The one that stands on both pages is listed once.
    assert [each.assignment_id for each in listed] == ["3A", "3B"]
    assert [request.get("NextToken") for request in server.requests] == [None, "p1", "p2"][: len(pages)]


def test_a_page_after_the_first_is_asked_for_again_before_the_whole_list_would_have_to_be(server):
    first = {"NumResults": 1, "NextToken": "p1", "Assignments": [ASSIGNMENT]}
    last = {"NumResults": 1, "Assignments": [{**ASSIGNMENT, "AssignmentId": "3B"}]}
    answers = [(200, first), (500, {}), (200, b"<html>"), (200, last)]
    server.behave = lambda handler: write(handler, *answers[len(server.requests) - 1])

    listed = gateway(server.url).list_assignments_for_hit("3H")

    assert [each.assignment_id for each in listed] == ["3A", "3B"]
    assert [request.get("NextToken") for request in server.requests] == [None, "p1", "p1", "p1"]


@pytest.mark.parametrize("before", [0, 1])
def test_it_is_asked_for_three_times_at_most_and_the_first_page_once(server, before):
    first = {"NumResults": 1, "NextToken": "p1", "Assignments": [ASSIGNMENT]}
    server.behave = lambda handler: write(
        handler, *((200, first) if len(server.requests) <= before else (500, {}))
    )

    failure(lambda: gateway(server.url).list_assignments_for_hit("3H"))

    assert len(server.requests) == (1 if before == 0 else 4)


# Words -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "message", "words"),
    [
        ("UnrecognizedClientException", "The security token is invalid", "does not know this access key"),
        ("InvalidSignatureException", "The request signature does not match", "did not accept the signature"),
        ("InvalidSignatureException", "Signature expired: 20261124T", "clock"),
        ("RequestExpired", "Request has expired", "clock"),
        ("ExpiredTokenException", "The token is expired", "temporary"),
        ("AccessDeniedException", "not authorized", "mechanicalturk:GetAccountBalance"),
        ("OptInRequired", "", "not linked to an MTurk requester account"),
        (
            "RequestError",
            "Your AWS account must be linked to your Amazon Mechanical Turk Account. (1624047673908)",
            "not linked to an MTurk requester account",
        ),
        ("UnknownOperationException", "", "does not offer GetAccountBalance"),
        ("ThrottlingException", "Rate exceeded", "slow down"),
        ("RequestError", "Something new. (1624047673908)", "MTurk refused GetAccountBalance: Something new."),
        ("RequestError", "Something new. (1624047673908 s)", "Something new."),
        ("BrandNewException", "", "MTurk refused GetAccountBalance: BrandNewException"),
    ],
)
def test_a_refusal_names_the_missing_step(server, kind, message, words):
    server.answer(400, {"__type": kind, "Message": message})

    error = failure(gateway(server.url).get_account_balance)

    assert words in error.sentence
    assert "(1624" not in error.sentence
    assert kind in error.details
    assert "request 7f1c" in error.details


def test_too_little_money_is_told_from_other_refusals(server):
    server.answer(
        400,
        {
            "__type": "RequestError",
            "TurkErrorCode": "AWS.MechanicalTurk.InsufficientFunds",
            "Message": "This Requester has insufficient funds",
        },
    )

    error = approving(server)

    assert error.is_insufficient_funds
    assert not error.may_have_happened
    assert "Add funds" in error.sentence


@pytest.mark.parametrize(
    ("message", "hit_id"),
    [
        ('The HIT with ID "3ABC0" already exists. (1624047673908)', "3ABC0"),
        ("It exists already.", ""),
    ],
)
def test_the_hit_that_exists_is_read_out_of_the_message(server, message, hit_id):
    server.answer(
        400,
        {
            "__type": "RequestError",
            "TurkErrorCode": "AWS.MechanicalTurk.HitAlreadyExists",
            "Message": message,
        },
    )

    error = approving(server)

    assert error.code == "HitAlreadyExists"
    assert existing_hit_id(error) == hit_id


# Keys --------------------------------------------------------------------------------------------


def test_keys_are_in_no_repr_error_or_log(server, caplog):
    caplog.set_level("INFO")
    server.answer(
        400,
        {
            "__type": "InvalidSignatureException",
            "Message": f"The string to sign was Credential={KEY}/20261124 and {SECRET}",
        },
    )
    one = gateway(server.url)

    error = failure(one.get_account_balance)

    shown = repr(one) + repr(error) + str(error) + error.details + caplog.text
    assert KEY not in shown
    assert SECRET not in shown


def test_keys_profiles_and_endpoints_of_whoever_runs_the_server_are_not_read(server, monkeypatch, tmp_path):
    config = tmp_path / "config"
    config.write_text("[default]\nregion = eu-west-1\nmax_attempts = 9\n[profile other]\n")
    for name, value in {
        "AWS_CONFIG_FILE": str(config),
        "AWS_PROFILE": "missing",
        "AWS_ACCESS_KEY_ID": "AKIAOFTHEOPERATOR",
        "AWS_SECRET_ACCESS_KEY": "another",
        "AWS_SESSION_TOKEN": "token",
        "AWS_ENDPOINT_URL_MTURK": "http://127.0.0.1:9",
        "AWS_MAX_ATTEMPTS": "5",
        "HTTP_PROXY": "http://127.0.0.1:9",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(client, "_sessions", {})
    headers = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        headers.append(dict(handler.headers))
        write(handler, 500, b"")

    server.behave = answer

    failure(gateway(server.url).get_account_balance)

    (sent,) = headers
    assert f"Credential={KEY}/" in sent["Authorization"]
    assert "/us-east-1/mturk-requester/" in sent["Authorization"]
    assert "X-Amz-Security-Token" not in sent


def test_one_client_serves_all_gateways_of_a_requester():
    url = "http://127.0.0.1:9"

    assert MTurkGateway(url, KEY, SECRET)._client is MTurkGateway(url, KEY, SECRET)._client
    assert MTurkGateway(url, KEY, SECRET)._client is not MTurkGateway(url, KEY, "other")._client


def test_an_error_survives_the_way_between_processes(server):
    server.answer(400, {"__type": "RequestError", "Message": "No"})

    error = approving(server)

    assert pickle.loads(pickle.dumps(error)).details == error.details
