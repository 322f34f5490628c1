"""``keybroker ssc``: a statement from a file, and the reference check system over HTTP and mutual TLS."""

from __future__ import annotations

import http.client
import json
import ssl
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import typer
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from keybroker.cli.dev.pki import certificate_pem, new_private_key, private_key_pem
from keybroker.cli.dev.tls_pki import create_tls_authority, tls_client_certificate, tls_server_certificate
from keybroker.cli.sign import Kind, to_be_signed
from keybroker.cli.ssc_check import Asked, NotConfirmed, read_asked, stating
from keybroker.cli.ssc_rules import (
    load_rule,
    no_mass_disconnection,
    not_a_vulnerable_customer,
    read_devices,
    who_asked,
)
from keybroker.cli.ssc_server import LONGEST_BODY, Checks, TlsFiles, make_server
from keybroker.client import SigningRequest
from keybroker.statement.kind import StatementKind
from keybroker.statement.payloads import SupplySensitiveCheck
from keybroker.statement.statement import read_statement
from keybroker.terms import ContentKind
from tests import duis, evidence, messages
from tests.cli.command import run_here, run_json
from tests.evidence import ORIGIN
from tests.gates.checks import CHAIN, CHECK

OCTETS = messages.compose_command(messages.OPEN_LOAD_SWITCH)
SEVERAL = messages.compose_command(0x0055)  # 7.5, 7.6 and 7.8
ASKER = "urn:keybroker:supplier-a:billing"
AT = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """A check system's key and certificate in files, and the attester it is to a broker."""

    certificate: Path
    private_key: Path
    der: bytes
    key: ec.EllipticCurvePrivateKey

    def options(self, **changes: object) -> list[object]:
        given: dict[str, object] = {
            "origin": ORIGIN,
            "certificate": self.certificate,
            "private-key": self.private_key,
            "confirmed-by": "the person on duty",
        }
        options = [word for name, value in (given | changes).items() for word in (f"--{name}", value)]
        return [*options, *(word for system in CHAIN for word in ("--chain", system))]

    def read(self, statement: str) -> SupplySensitiveCheck:
        """As the broker does, that enrolled it."""
        enrolled = evidence.an_attester(CHECK, StatementKind.SUPPLY_SENSITIVE_CHECK)
        kid = sha256(self.der).hexdigest()
        said = read_statement(
            statement.encode(),
            {kid: replace(enrolled, kid=kid, certificate=self.der)},
            kind=StatementKind.SUPPLY_SENSITIVE_CHECK,
            origin=ORIGIN,
            at=datetime.now(UTC),
        ).payload
        assert isinstance(said, SupplySensitiveCheck)
        return said


@pytest.fixture
def system(tmp_path: Path) -> System:
    authority, key = create_tls_authority(not_before=datetime.now(UTC)), new_private_key()
    certificate = tls_client_certificate(authority, key.public_key(), uri="urn:check", not_before=datetime.now(UTC))
    files = tmp_path / "check.pem", tmp_path / "check.key"
    files[0].write_bytes(certificate_pem(certificate))
    files[1].write_bytes(private_key_pem(key))
    der = x509.load_pem_x509_certificate(files[0].read_bytes())
    return System(certificate=files[0], private_key=files[1], der=_der(der), key=key)


def _der(certificate: x509.Certificate) -> bytes:
    return ssl.PEM_cert_to_DER_cert(certificate_pem(certificate).decode())


def in_file(directory: Path, octets: bytes) -> Path:
    file = directory / "octets"
    file.write_text(octets.hex(), encoding="ascii")
    return file


# confirm


@pytest.mark.parametrize(
    ("octets", "changes", "reason"),
    [
        (b"\xdf\x09", {}, "CONTENT_MALFORMED"),
        (SEVERAL, {}, "VARIANT_UNDECIDED"),
        (SEVERAL, {"variant": "7.2"}, "VARIANT_UNDECIDED"),
        (duis.a_request(), {"kind": "service-request"}, "NOTHING_TO_CHECK"),
        (duis.a_transform(), {"kind": "service-request"}, "NOTHING_TO_CHECK"),
    ],
)
def test_confirms_nothing_of_what_needs_no_check_or_is_undecided(
    octets: bytes, changes: dict[str, object], reason: str, system: System, tmp_path: Path
) -> None:
    file = in_file(tmp_path, octets)
    said = run_json("ssc", "confirm", file, *system.options(**changes), expect=1, how=run_here)
    assert said["error"]["reason"] == reason
    done = run_here("ssc", "confirm", file, *system.options(**changes))
    assert (done.returncode, done.stdout) == (1, "")
    assert reason in done.stderr


@pytest.mark.parametrize(
    "changes",
    [{"kind": "command"}, {"origin": ""}, {"confirmed-by": ""}, {"valid-seconds": 0}, {"private-key": "check.pem"}],
)
def test_a_command_line_that_is_wrong_is_usage(changes: dict[str, object], system: System, tmp_path: Path) -> None:
    if "private-key" in changes:
        changes = {"private-key": system.certificate}
    done = run_here("ssc", "confirm", in_file(tmp_path, OCTETS), *system.options(**changes))
    assert done.returncode == 2, done.stderr


def test_prints_a_statement_of_what_the_file_says(system: System, tmp_path: Path) -> None:
    done = run_here("ssc", "confirm", in_file(tmp_path, OCTETS), *system.options())
    assert done.returncode == 0, done.stderr
    said = system.read(done.stdout.strip())
    assert said.octets_sha256 == sha256(OCTETS).hexdigest()
    assert (said.variant, said.device, said.user) == ("7.2", str(messages.DEVICE), str(messages.SUPPLIER))
    assert said.request_id == f"{messages.SUPPLIER}:{messages.DEVICE}:1000"
    assert said.confirmed_by == "the person on duty"
    assert [hop.system for hop in said.chain] == list(CHAIN)


def test_says_as_json_how_sensitive_it_is(system: System, tmp_path: Path) -> None:
    said = run_json("ssc", "confirm", in_file(tmp_path, SEVERAL), *system.options(variant="7.6"), how=run_here)
    assert (said["variant"], said["sensitivity"]) == ("7.6", "possibly")
    assert system.read(said["statement"]).variant == "7.6"


# Rules.


def asked(code: int = messages.OPEN_LOAD_SWITCH, *, variant: str = "", by: str = ASKER, at: datetime = AT) -> Asked:
    return read_asked(ContentKind.PRE_COMMAND, messages.compose_command(code), variant=variant, by=by, at=at)


def test_refuses_whoever_is_not_listed() -> None:
    for by in ("", "urn:keybroker:another"):
        with pytest.raises(NotConfirmed) as refusal:
            who_asked([ASKER])(asked(by=by))
        assert refusal.value.reason == "ASKER_UNKNOWN"
    who_asked([ASKER])(asked())


def test_takes_no_supply_from_a_vulnerable_customer() -> None:
    rule = not_a_vulnerable_customer([messages.DEVICE])
    with pytest.raises(NotConfirmed) as refusal:
        rule(asked())
    assert refusal.value.reason == "CUSTOMER_VULNERABLE"
    rule(asked(messages.CLOSE_LOAD_SWITCH))
    not_a_vulnerable_customer([messages.SUPPLIER])(asked())


def test_confirms_no_more_disconnections_within_an_hour_than_it_may() -> None:
    rule = no_mass_disconnection(2)
    rule(asked())
    rule(asked(at=AT + timedelta(minutes=59)))
    rule(asked(messages.CLOSE_LOAD_SWITCH, at=AT + timedelta(minutes=59)))
    with pytest.raises(NotConfirmed) as refusal:
        rule(asked(at=AT + timedelta(minutes=59)))
    assert refusal.value.reason == "MASS_DISCONNECTION"
    rule(asked(at=AT + timedelta(minutes=60)))
    with pytest.raises(NotConfirmed):
        no_mass_disconnection(0)(asked())


def nobody_on_sundays(asked: Asked) -> None:
    """A deployer's own rule."""
    if asked.at.weekday() == 6:
        raise NotConfirmed("SUNDAY", "nobody is disconnected on Sundays")


def test_loads_a_rule_of_the_deployers_own() -> None:
    rule = load_rule(f"{__name__}:nobody_on_sundays")
    with pytest.raises(NotConfirmed, match="on Sundays"):
        rule(asked(at=datetime(2026, 1, 18, tzinfo=UTC)))


@pytest.mark.parametrize(
    "path", ["no.such.module:rule", f"{__name__}:no_such_rule", f"{__name__}:ASKER", __name__, "keybroker:"]
)
def test_refuses_what_is_no_rule(path: str) -> None:
    with pytest.raises(ValueError, match=r"expected package\.module:function"):
        load_rule(path)


def test_reads_devices_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "devices"
    file.write_text(f"# on oxygen\n\n{messages.DEVICE}\n", encoding="utf-8")
    assert read_devices(file) == {messages.DEVICE}
    file.write_text("someone\n", encoding="utf-8")
    with pytest.raises(ValueError, match="non-hexadecimal"):
        read_devices(file)


# serve


@contextmanager
def serving(system: System, *, tls: TlsFiles | None = None, most_per_hour: int = 10) -> Iterator[str]:
    """Its address while it serves."""
    rules = (who_asked([ASKER]), anything, no_mass_disconnection(most_per_hour))
    state = stating(origin=ORIGIN, chain=CHAIN, certificate=system.der, private_key=system.key)
    with make_server(Checks(rules=rules, state=state), tls=tls) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}/check"
        finally:
            server.shutdown()
            thread.join()


def anything(asked: Asked) -> None:
    """Confirms everything."""


def post(url: str, body: Any, context: ssl.SSLContext | None = None) -> tuple[int, dict[str, str]]:
    octets = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(url, data=octets)  # noqa: S310 - of this test's own making
    try:
        with urllib.request.urlopen(request, context=context, timeout=10) as answer:  # noqa: S310
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def question(octets: bytes = OCTETS, **changes: str) -> dict[str, str]:
    return {"kind": "pre-command", "octets": b64encode(octets).decode(), "by": ASKER} | changes


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        (b"{", 400, "REQUEST_MALFORMED"),
        (b"[]", 400, "REQUEST_MALFORMED"),
        (b"\xff", 400, "REQUEST_MALFORMED"),
        (b"[" * 100_000, 400, "REQUEST_MALFORMED"),
        ({}, 400, "REQUEST_MALFORMED"),
        (question(further="x"), 400, "REQUEST_MALFORMED"),
        (question() | {"octets": 1}, 400, "REQUEST_MALFORMED"),
        (question(octets=OCTETS) | {"octets": "?"}, 400, "REQUEST_MALFORMED"),
        (question(kind="command"), 400, "REQUEST_MALFORMED"),
        (b'{"kind":"pre-command","kind":"pre-command"}', 400, "REQUEST_MALFORMED"),
        (question(OCTETS[:-1]), 403, "CONTENT_MALFORMED"),
        (question(SEVERAL), 403, "VARIANT_UNDECIDED"),
        (question(by="urn:keybroker:another"), 403, "ASKER_UNKNOWN"),
    ],
)
def test_the_check_system_refuses_with_a_reason(body: Any, status: int, reason: str, system: System) -> None:
    with serving(system) as url:
        answered, said = post(url, body)
    assert (answered, said["reason"]) == (status, reason)
    assert said["sentence"]


@pytest.mark.parametrize("length", [str(LONGEST_BODY + 1), "-1", "some", ""])
def test_the_check_system_reads_no_body_of_unknown_or_great_length(length: str, system: System) -> None:
    with serving(system) as url:
        connection = http.client.HTTPConnection(url.split("/")[2], timeout=10)
        connection.putrequest("POST", "/check")
        connection.putheader("Content-Length", length)
        connection.endheaders()
        answer = connection.getresponse()
        assert (answer.status, json.load(answer)["reason"]) == (413, "REQUEST_TOO_LONG")
        connection.close()


def test_the_check_system_knows_one_place_alone(system: System) -> None:
    with serving(system) as url:
        assert post(url.replace("/check", "/"), question())[0] == 404


def test_the_check_system_states_what_its_rules_let_through_and_no_more(system: System) -> None:
    with serving(system, most_per_hour=1) as url:
        status, answer = post(url, question())
        assert status == 200
        said = system.read(answer["statement"])
        assert (said.variant, said.octets_sha256) == ("7.2", sha256(OCTETS).hexdigest())
        assert said.confirmed_by.startswith(f"{ASKER}; rules: who_asked, ")
        assert post(url, question()) == (
            403,
            {"reason": "MASS_DISCONNECTION", "sentence": "1 within an hour, expected 1 at most"},
        )


def test_over_mutual_tls_the_certificate_says_who_asks_and_nothing_else_does(system: System, tmp_path: Path) -> None:
    authority = create_tls_authority(not_before=datetime.now(UTC))
    key = new_private_key()
    server = tls_server_certificate(authority, key.public_key(), not_before=datetime.now(UTC))
    files = TlsFiles(
        certificate=tmp_path / "tls.pem", private_key=tmp_path / "tls.key", anchors=tmp_path / "anchors.pem"
    )
    files.certificate.write_bytes(certificate_pem(server))
    files.private_key.write_bytes(private_key_pem(key))
    files.anchors.write_bytes(certificate_pem(authority.certificate))

    def as_caller(uri: str) -> ssl.SSLContext:
        own = new_private_key()
        certificate = tls_client_certificate(authority, own.public_key(), uri=uri, not_before=datetime.now(UTC))
        pem = tmp_path / "client.pem"
        pem.write_bytes(certificate_pem(certificate) + private_key_pem(own))
        context = ssl.create_default_context(cafile=files.anchors)
        context.load_cert_chain(pem)
        return context

    nobody = ssl.create_default_context(cafile=files.anchors)
    with serving(system, tls=files) as url:
        assert post(url, question(by="urn:keybroker:another"), as_caller(ASKER))[0] == 200
        assert post(url, question(), as_caller("urn:keybroker:another"))[1]["reason"] == "ASKER_UNKNOWN"
        with pytest.raises((ssl.SSLError, urllib.error.URLError, ConnectionError)):
            post(url, question(), nobody)


def test_serves_from_the_command_line_on_this_machine_alone(system: System, tmp_path: Path) -> None:
    listed = tmp_path / "vulnerable"
    listed.write_text(f"{messages.DEVICE}\n", encoding="utf-8")
    options = [str(word) for word in system.options(asker=ASKER, vulnerable=listed)]
    at = options.index("--confirmed-by")
    del options[at : at + 2]
    arguments = [sys.executable, "-m", "keybroker.cli.main", "ssc", "serve", *options]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            assert url.startswith("http://127.0.0.1:")
            assert post(url, question())[1]["reason"] == "CUSTOMER_VULNERABLE"
            assert post(url, question(messages.compose_command(messages.CLOSE_LOAD_SWITCH)))[0] == 200
        finally:
            process.terminate()


@pytest.mark.parametrize(
    ("option", "value"), [("--rule", "no.such:rule"), ("--tls-certificate", "a.pem"), ("--vulnerable", __file__)]
)
def test_does_not_serve_with(option: str, value: str, system: System) -> None:
    options = system.options()[:-8]
    at = options.index("--confirmed-by")
    del options[at : at + 2]
    chain = [word for each in CHAIN for word in ("--chain", each)]
    done = run_here("ssc", "serve", *options, *chain, option, value)
    assert done.returncode == 2, done.stderr


# sign --check


def test_what_was_printed_goes_with_what_is_to_be_signed(tmp_path: Path) -> None:
    check = tmp_path / "check.jws"
    check.write_text("a.b.c\n", encoding="ascii")
    octets = in_file(tmp_path, OCTETS)
    request = to_be_signed(octets, Kind.PRE_COMMAND, None, (None, None, None, None, [check, check]), key="k")
    assert isinstance(request, SigningRequest)
    assert request.supply_sensitive_checks == ("a.b.c", "a.b.c")
    with pytest.raises(typer.BadParameter, match="a command takes no supply_sensitive_checks"):
        to_be_signed(octets, Kind.COMMAND, None, (None, None, None, None, [check]), key="k")
