"""How does the key come by its certificate? Its request goes down the line; what comes back is verified and enrolled.

SEC G2.56(b), G2.60(b), G2.61(b), G3.29(b). A request that was signed before the ceremony was interrupted is given
again: its name is the ceremony's.
"""

from __future__ import annotations

from hashlib import sha256

from asn1crypto import pem
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from keybroker.ceremony.performing.done import Done
from keybroker.ceremony.performing.making import new_label
from keybroker.ceremony.performing.stage import Stage
from keybroker.ceremony.room import Answered
from keybroker.ceremony.steps import StepName
from keybroker.clause import clause
from keybroker.content.assembly import assemble
from keybroker.content.decoding import decode
from keybroker.errors import KeybrokerError, NotPermitted
from keybroker.keys.acts import BeginEnrolment, EnrolCertificate
from keybroker.keys.administration import administer
from keybroker.keys.certificate_request import SubjectUnclear, request_info
from keybroker.ledger.model import Concluded, GivenAgain, RequestIdentity
from keybroker.policy.certificate_chain import read_chain
from keybroker.policy.certificates import CertificateUnfit
from keybroker.policy.model import Policy, RegisteredKey
from keybroker.signing import Ask, sign_batch
from keybroker.terms import Caller, CallerKind, ContentKind, KeyLabel, KeyState, Operation, RequestId, SystemName


@clause("G2.56", "G2.60", "G2.61")
def make_request(stage: Stage) -> Done:
    """A Certificate Signing Request by the key itself: proof that this module holds it."""
    key = _enrolling(stage)
    name, whole = _written_request(stage, key)
    stage.room.tell(f"The request stands in {name}. Give it to the authority; its certificate is asked for next.")
    return Done(facts={"file": name, "key": key.label, "request_sha256": sha256(whole).hexdigest()})


def _written_request(stage: Stage, key: RegisteredKey) -> tuple[str, bytes]:
    """The name of its file, and the request (DER): one that was signed before is given again from the ledger."""
    try:
        info = request_info(key, stage.hall.line.policies[key.purpose], common_name=stage.plan.keys[0].common_name)
    except SubjectUnclear as unclear:
        raise NotPermitted(f"the plan does not say whom the certificate names: {unclear}") from unclear
    operation = Operation.SIGN_CERTIFICATE_SIGNING_REQUEST
    whole = signed(stage, key, operation, ContentKind.CERTIFICATE_SIGNING_REQUEST, info)
    name = f"{key.label}.csr.pem"
    stage.hall.write(name, pem.armor("CERTIFICATE REQUEST", whole))
    return name, whole


@clause("G2.56", "G2.60", "G2.61")
def make_root_certificate(stage: Stage) -> Done:
    """The Root OCA Certificate signs itself (SEC G2.60(a)): what is to be signed was prepared and is judged here."""
    key = _enrolling(stage)
    told = "The name of a file: the TBSCertificate in DER, as made for this public key and reviewed."
    octets = stage.room.ask_file("The certificate to be signed?", told, lambda octets: octets)
    whole = signed(stage, key, Operation.SIGN_ROOT_CERTIFICATE, ContentKind.ROOT_CERTIFICATE, octets)
    name = f"{key.label}.pem"
    stage.hall.write(name, pem.armor("CERTIFICATE", whole))
    return Done(facts={"certificate_sha256": sha256(whole).hexdigest(), "file": name, "key": key.label})


def _enrolling(stage: Stage) -> RegisteredKey:
    """The key that was made, on its way to a certificate."""
    label = new_label(stage)
    key = stage.hall.line.register.refresh().keys[label]
    if key.state is KeyState.GENERATED:
        administer(stage.hall.book.journal, stage.hall.book.actor, BeginEnrolment(label=label), stage.hall.now())
        key = stage.hall.line.register.refresh().keys[label]
    return key


def enrol_certificate(stage: Stage) -> Done:
    """The chain is verified up to an anchor before anything is written."""
    label = new_label(stage)
    _request_again(stage, label)
    told = "The name of a file in PEM: the key's certificate, then its issuers. Type stop to go on another day."
    chain = stage.room.ask_file("The certificate?", told, lambda octets: _chain(stage, octets))
    digest = sha256(chain[0]).digest()
    stage.room.digest("certificate", digest)
    act = EnrolCertificate(label=label, chain=chain, anchors=stage.hall.line.anchors)
    return Done(facts={"certificate_sha256": digest.hex(), "key": label}, acts=(act,))


def _request_again(stage: Stage, label: KeyLabel) -> None:
    """Where its file was lost before the authority had it."""
    made = [each.entry.facts for each in stage.held.steps if each.entry.step == StepName.MAKE_REQUEST.value]
    if made and not (stage.hall.directory / str(made[0]["file"])).is_file():
        name, _ = _written_request(stage, stage.hall.line.register.refresh().keys[label])
        stage.room.tell(f"The request was lost, and stands in {name} again.")


def _chain(stage: Stage, octets: bytes) -> tuple[bytes, ...]:
    """Raises: Answered for what is no chain up to an anchor."""
    try:
        read = x509.load_pem_x509_certificates(octets)
        chain = tuple(certificate.public_bytes(Encoding.DER) for certificate in read)
        read_chain(chain, stage.hall.line.anchors, revoked_at=None)
    except CertificateUnfit as unfit:
        raise Answered(unfit.sentence) from unfit
    except ValueError as error:
        raise Answered("expected certificates in PEM, found none that can be read") from error
    return chain


@clause("G2.56", "G2.60", "G2.61")
def signed(stage: Stage, key: RegisteredKey, operation: Operation, kind: ContentKind, octets: bytes) -> bytes:
    """Down the line, under a name of this ceremony: the whole signed document. Raises: the Refusal or Fault."""
    at = stage.hall.now()
    identity = RequestIdentity(
        caller=ceremony_caller(stage, key, stage.hall.line.policies[key.purpose], operation),
        operation=operation,
        key=key.label,
        request_id=RequestId(f"ceremony-{stage.plan.name}-{operation}"),
        sha256=sha256(octets).digest(),
    )
    stage.hall.line.register.refresh()
    (outcome,) = sign_batch(stage.hall.line, [Ask(identity=identity, kind=kind, octets=octets)], at)
    stage.hall.keep_head(at)
    if isinstance(outcome, KeybrokerError):
        raise outcome
    return _whole(kind, octets, outcome)


def _whole(kind: ContentKind, octets: bytes, outcome: Concluded | GivenAgain) -> bytes:
    return assemble(decode(kind, octets, ()), outcome.outputs)


def ceremony_caller(stage: Stage, key: RegisteredKey, policy: Policy, operation: Operation) -> Caller:
    """Whoever conducts, in the place of the party's own system, for this key and operation alone."""
    kinds = sorted(policy.caller_kinds - {CallerKind.OPERATOR}) or [CallerKind.OPERATOR]
    return Caller(
        identity=stage.hall.book.actor.identity,
        party=key.party,
        system=SystemName("ceremony"),
        kind=kinds[0],
        user_roles=frozenset(),
        euis=frozenset() if key.eui is None else frozenset({key.eui}),
        operations=frozenset({operation}),
        keys=frozenset({key.label}),
    )
