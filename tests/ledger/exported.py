"""A ledger of every kind of record whose every signature is real, and evidence packages of it: for tests of both."""

from __future__ import annotations

import json
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterable
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import Connection

from keybroker.ceremony.book import Book
from keybroker.ceremony.entry import Entry
from keybroker.ceremony.plan import CeremonyKind, Side
from keybroker.ceremony.steps import own_steps
from keybroker.config.packaged import packaged_for_verifiers, packaged_policies
from keybroker.content.checkpoint import encode_checkpoint
from keybroker.errors import ModuleBusy, NotPermitted
from keybroker.keys.acts import ActivateKey, EnrolCertificate, OrderKey
from keybroker.keys.administration import KeyGenerated, administer
from keybroker.keys.trust import take_in_revocation_list
from keybroker.ledger import model, tables
from keybroker.ledger.canonical_json import encode
from keybroker.ledger.export import Beside, Making, Package, make_package
from keybroker.ledger.export_choosing import Selection
from keybroker.ledger.journal import Journal
from keybroker.ledger.model import Failure, RecordKind
from keybroker.terms import KeyLabel, KeyPurpose, PartyName, Provenance
from tests import lists
from tests.ceremony.people import TestPerson
from tests.ceremony.plans import a_key, a_plan, written
from tests.keys.restoring import ACTOR
from tests.ledger import books, claims
from tests.ledger.books import a_permit, a_request, intend, intends, sign
from tests.ledger.kept_ceremony import live
from tests.ledger.kept_evidence import Kept
from tests.policy import chains
from tests.situations import AT, ORIGIN

VERIFIER = Path(__file__).parents[2] / "verifier" / "verify_evidence.py"
PARTY, ENROLLED = PartyName("supplier-a"), KeyLabel("enrolled")
MAKING = Making(identity="local:tests", machine="tests.0123456789abcdef", version="0.1.0", at=AT)
TEXTS = {sha256(octets).hexdigest(): octets for octets in packaged_policies().values()}
CHECKPOINT_KEY = ec.derive_private_key(77, ec.SECP256R1())
BESIDE = Beside(
    find_text=TEXTS.get,
    files=packaged_for_verifiers(),
    checkpoints=lambda connection, size: _checkpoints(connection, size),
)


def fill(directory: Path, *, other: str = "") -> None:
    """Every kind of record; ``other`` makes another ledger of the same origin, with another request in it."""
    with books.a_book(directory, "worker-0", incarnation="1") as journal:
        journal.write([model.Entry(kind=RecordKind.START, party=PartyName(""), body={"version": "0.1.0"})], at=AT)
        sign(journal, a_request(f"first{other}"))
        intend(journal, a_request(f"first{other}"), books.a_refused("refused", NotPermitted("the rules refused")))
        (failed,) = intends(journal, a_request("failed", a_permit(2)))
        journal.conclude([Failure(intent=failed, error=ModuleBusy("no session in time"), module_serial="1")], at=AT)
        journal.write([model.Entry(kind=RecordKind.READ, party=PARTY, body={"operation": "ListKeys"})], at=AT)
        intends(journal, a_request("open", a_permit(2)))
    with books.a_book(directory, "worker-0", incarnation="2") as journal:
        journal.close_open_intents(AT)
        journal.write([model.Entry(kind=RecordKind.STOP, party=PartyName(""), body={})], at=AT)
        kept = Kept(journal)
        kept.enrol()
        kept.state()
        kept.act(OrderKey(label=KeyLabel("another"), purpose=KeyPurpose.SUPPLIER_PRE_COMMAND, party=PARTY))
        _enrol_key(journal, kept)
        asked = claims.asking("takes", claims.once(), claims.bound(b"x"), claims.increasing(7), claims.allocated(1))
        for end in (claims.fail, claims.succeed):
            (intent,) = claims.taken(journal, asked)
            end(journal, intent)
        for der in (lists.an_arl(), lists.a_list()):
            take_in_revocation_list(journal, ACTOR, der, (chains.TEST_ROOT,), AT)
        kept.check()
        kept.quarantine()
        kept.restore()
        sign(journal, a_request("restored", a_permit(3)))
        live(journal)
        _hold_ceremony(journal)


def _enrol_key(journal: Journal, kept: Kept) -> None:
    """A key with its certificate, in use."""
    chain = (chains.Plan().make(), chains.an_issuing_ca())
    own = chains.a_private_key(chains.ORGANISATION_KEY).public_key()
    point = own.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    kept.act(OrderKey(label=ENROLLED, purpose=KeyPurpose.SUPPLIER_PRE_COMMAND, party=PARTY))
    administer(journal, ACTOR, KeyGenerated(label=ENROLLED, public_key=point, provenance=Provenance.GENERATED), AT)
    kept.act(EnrolCertificate(label=ENROLLED, chain=chain, anchors=(chains.TEST_ROOT,)))
    kept.act(ActivateKey(label=ENROLLED))


def _hold_ceremony(journal: Journal) -> None:
    """Its first step is signed as people sign, by everybody; then it is aborted."""
    plan = a_plan(CeremonyKind.GENERATE, a_key(KeyPurpose.COS_PARTY_TLS, "tls")).plan
    crew = {each.name: TestPerson(name=each.name) for each in plan.people}
    digests = {name: sha256(person.certificate).hexdigest() for name, person in crew.items()}
    people = tuple(each.model_copy(update={"signing_sha256": digests[each.name]}) for each in plan.people)
    span = {"valid_from": AT - timedelta(hours=1), "valid_until": AT + timedelta(hours=1), "people": people}
    plan_file = written(plan.model_copy(update=span))
    book, name = Book(journal=journal, actor=ACTOR), plan.name
    book.open(plan_file, Side.HERE, AT)
    first, *_ = own_steps(plan, Side.HERE)
    book.begin(name, first, {"drawn": "1"}, AT)
    entry = Entry(
        ceremony=name,
        plan_sha256=plan_file.sha256.hex(),
        ledger=journal.ledger.origin,
        side=Side.HERE.value,
        number=1,
        step=first.name.value,
        at=AT,
        people=(*crew,),
        facts={"said": "what the test wants"},
    )
    book.conclude(first, entry, {name: person.sign(entry.octets) for name, person in crew.items()}, AT)
    book.abort(name, "as the test wants it", AT)


def package(directory: Path, target: Path, selection: Selection | None = None, beside: Beside = BESIDE) -> Package:
    """Of the ledger in ``directory``, into a new directory."""
    target.mkdir()
    ledger = books.a_ledger(directory)
    try:
        return make_package(ledger, target, selection or Selection(), MAKING, beside)
    finally:
        ledger.close()


def vkey(key: ec.EllipticCurvePrivateKey = CHECKPOINT_KEY) -> str:
    """The verifier key of C2SP signed-note: type 02, whose key id is of the SubjectPublicKeyInfo."""
    spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    typed = b64encode(b"\x02" + spki).decode()
    return f"{ORIGIN}+{sha256(spki).hexdigest()[:8]}+{typed}"


def _checkpoints(connection: Connection, size: int) -> Iterable[bytes]:
    """One, of the whole tree, as the module's key would sign it."""
    root = connection.execute(tables.head.select()).one().root_hash
    return [note(encode_checkpoint(ORIGIN, size, root))]


def note(body: bytes, key: ec.EllipticCurvePrivateKey = CHECKPOINT_KEY) -> bytes:
    spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    line = b64encode(
        sha256(spki).digest()[:4] + key.sign(body, ec.ECDSA(SHA256(), deterministic_signing=True))
    ).decode()
    return body + f"\n\u2014 {ORIGIN} {line}\n".encode()


def verify(package: Path, *arguments: str, expect: int | None = None) -> dict[str, Any]:
    """What the verifier says, run as an assessor runs it: by itself, from nowhere near our tree."""
    done = subprocess.run(
        [sys.executable, "-I", str(VERIFIER), str(package), "--json", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=package.parent,
    )
    assert expect is None or done.returncode == expect, done.stdout + done.stderr
    told: dict[str, Any] = json.loads(done.stdout) if done.stdout else {}
    return told | {"status": done.returncode}


def seal(package: Path) -> None:
    """Make the manifest agree with the files again, as somebody would who changed one."""
    try:
        manifest = json.loads((package / "manifest.json").read_bytes())
    except ValueError:
        manifest = {}
    names = sorted(path.relative_to(package).as_posix() for path in package.rglob("*") if path.is_file())
    manifest["files"] = [
        {"name": name, "sha256": sha256(octets).hexdigest(), "size": len(octets)}
        for name in names
        if not name.startswith("manifest.") and (octets := (package / name).read_bytes()) is not None
    ]
    octets = encode(manifest)
    (package / "manifest.json").write_bytes(octets)
    (package / "manifest.sha256").write_text(f"{sha256(octets).hexdigest()}  manifest.json\n")
