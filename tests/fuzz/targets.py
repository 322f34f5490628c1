"""Which decoders are there? Each that reads what another wrote: a caller, a Device, a custodian, a file, a ledger."""

from __future__ import annotations

from functools import partial
from io import BytesIO

from keybroker.ceremony.entry import EntryUnfit, read_entry
from keybroker.ceremony.enveloped_data import open_envelope
from keybroker.ceremony.package import PackageUnfit, read_offer, read_package, read_proof, read_renunciation
from keybroker.ceremony.paper_share import read_back
from keybroker.ceremony.part import read_words, words
from keybroker.ceremony.plan import PlanFile, read_plan
from keybroker.ceremony.share import encode_share, read_share
from keybroker.ceremony.share_set import read_share_set
from keybroker.ceremony.signed_data import verify
from keybroker.ceremony.transcript_form import read_form
from keybroker.config.file import read_file
from keybroker.config.sntp import NoReading, read_answer
from keybroker.content.axdr import encode_data, read_data
from keybroker.content.contents import Content
from keybroker.content.data_values import data_values
from keybroker.content.facts import facts_of
from keybroker.content.model import GbcsCommand
from keybroker.content.xdlms import decode_request, encode_request
from keybroker.errors import (
    CmsUnfit,
    ConfigurationInvalid,
    ContentMalformed,
    LedgerBroken,
    ModuleDisagrees,
    ProofUnfit,
    ShareUnfit,
)
from keybroker.hsm.anchor import decode_head, encode_head
from keybroker.hsm.profile import read_profile
from keybroker.hsm.trusted_keys import read_recipient
from keybroker.hsm.wrapped_key import read_wrapped_key
from keybroker.ledger import canonical_json
from keybroker.ledger.backup_form import read_header
from keybroker.ledger.note import read_note, read_signature_lines, write_note
from keybroker.ledger.note_keys import read_vkey, write_vkey
from keybroker.ledger.proof_form import read_proof as read_proof_file
from keybroker.ledger.proof_form import write_proof as write_proof_file
from keybroker.ledger.tiles import decode_entries
from keybroker.policy.certificates import CertificateUnfit, read_end_entity
from keybroker.policy.device_certificates import read_device_certificate
from keybroker.policy.file import read_policy
from keybroker.policy.revocation import read_revocation_list
from keybroker.statement.compact import read_compact
from keybroker.statement.flaw import StatementUnfit
from keybroker.statement.strict_json import read_object
from keybroker.statement.threshold_files import read_actions, read_thresholds
from keybroker.terms import ContentKind
from keybroker.witness.request import read_request, read_size, write_request, write_size
from keybroker.witness.settings import decode_settings
from tests.content.recompose import recompose
from tests.fuzz.context import AT, OFFERED, PACKED, PLAN, RECEIVER, SIGNER, read_item_of_a_batch, read_payload, unwrap
from tests.fuzz.target import Target, Targets, content_target


def _written_again(content: Content) -> bytes | None:
    """What is told of it is told without another exception too."""
    facts_of(content)
    data_values(content)
    return recompose(content) if isinstance(content, GbcsCommand) else None


def _datum(octets: bytes) -> bytes:
    datum, end = read_data(octets, 0)
    assert encode_data(datum) == octets[:end]
    return octets


def _record(octets: bytes) -> bytes:
    return canonical_json.encode(canonical_json.decode(octets))


def _backup(octets: bytes) -> bytes:
    file = BytesIO(octets)
    return read_header(file).encoded() + file.read()


def _plan(octets: bytes) -> bytes:
    plan_file: PlanFile = read_plan(octets)
    return plan_file.octets


CONTENTS: Targets = {f"content-{kind}": content_target(kind, _written_again) for kind in ContentKind}

INSIDE: Targets = {
    "dlms-data": Target(read=_datum, refusals=(ContentMalformed,)),
    "dlms-request": Target(
        read=lambda octets: decode_request(octets, 0), refusals=(ContentMalformed,), again=encode_request
    ),
    "organisation-certificate": Target(read=read_end_entity, refusals=(CertificateUnfit,)),
    "device-certificate": Target(read=read_device_certificate, refusals=(CertificateUnfit,)),
    "revocation-list": Target(read=lambda octets: read_revocation_list(octets, ()), refusals=(CertificateUnfit,)),
    "request-of-a-batch": Target(read=read_item_of_a_batch, refusals=()),
    "time-answer": Target(
        read=lambda octets: read_answer(octets, nonce=bytes(8), sent=AT, waited=0.1), refusals=(NoReading,)
    ),
}

STATED: Targets = {
    "statement": Target(read=read_compact, refusals=(StatementUnfit,), again=lambda read: read.compact.encode()),
    "statement-payload": Target(read=read_payload, refusals=(StatementUnfit,)),
    "statement-json": Target(read=read_object, refusals=(StatementUnfit,)),
    "threshold-file": Target(read=read_thresholds, refusals=(ValueError,)),
    "actions-file": Target(read=read_actions, refusals=(ValueError,)),
}

CONFIGURED: Targets = {
    "policy": Target(read=partial(read_policy, name="fuzzed"), refusals=(ConfigurationInvalid,)),
    "profile": Target(read=partial(read_profile, name="softhsm2"), refusals=(ConfigurationInvalid,)),
    "witness-settings": Target(read=partial(decode_settings, where="fuzzed"), refusals=(ConfigurationInvalid,)),
    "configuration": Target(read=partial(read_file, name="fuzzed"), refusals=(ConfigurationInvalid,)),
}

HELD: Targets = {
    "plan": Target(read=_plan, refusals=(ConfigurationInvalid,), again=bytes),
    "entry": Target(read=read_entry, refusals=(EntryUnfit,), again=lambda entry: bytes(entry.octets)),
    "transcript": Target(read=read_form, refusals=(ValueError,)),
    "share": Target(read=read_share, refusals=(ShareUnfit,), again=encode_share),
    "share-set": Target(read=read_share_set, refusals=(ShareUnfit,), again=lambda share_set: bytes(share_set.octets)),
    "share-words": Target(
        read=lambda octets: words(read_words(octets.decode(errors="replace"))),
        refusals=(ShareUnfit,),
        again=lambda read: None if words(read_words(read)) == read else b"",
    ),
    "share-read-back": Target(read=lambda octets: read_back(octets.decode(errors="replace")), refusals=(ShareUnfit,)),
    "signed-data": Target(read=partial(verify, certificates=SIGNER), refusals=(CmsUnfit,)),
    "envelope": Target(read=lambda octets: open_envelope(octets, RECEIVER, unwrap), refusals=(CmsUnfit,)),
    "offer": Target(read=lambda octets: read_offer(octets, PLAN), refusals=(PackageUnfit,)),
    "package": Target(
        read=lambda octets: read_package(octets, PLAN, offer_sha256=OFFERED.entry_sha256), refusals=(PackageUnfit,)
    ),
    "proof": Target(
        read=lambda octets: read_proof(
            octets, PLAN, package_sha256=PACKED.sha256, withheld_sha256=PACKED.withheld_sha256
        ),
        refusals=(PackageUnfit,),
    ),
    "renunciation": Target(
        read=lambda octets: read_renunciation(
            octets, PLAN, offer_sha256=OFFERED.entry_sha256, package_sha256=PACKED.sha256
        ),
        refusals=(PackageUnfit,),
    ),
    "wrapped-key": Target(read=read_wrapped_key, refusals=(ContentMalformed,)),
    "wrapping-key": Target(read=read_recipient, refusals=(ContentMalformed,)),
}

KEPT: Targets = {
    "record": Target(read=_record, refusals=(ValueError,), again=bytes),
    "backup": Target(read=_backup, refusals=(LedgerBroken,), again=bytes),
    "ledger-head": Target(read=decode_head, refusals=(ModuleDisagrees,), again=encode_head),
}

PUBLISHED: Targets = {
    "note": Target(read=read_note, refusals=(ContentMalformed,), again=write_note),
    "note-signatures": Target(
        read=read_signature_lines,
        refusals=(ContentMalformed,),
        again=lambda lines: b"".join(each.line for each in lines),
    ),
    "verifier-key": Target(
        read=lambda octets: read_vkey(octets.decode(errors="surrogateescape")),
        refusals=(ContentMalformed,),
        again=lambda key: write_vkey(key).encode(errors="surrogateescape"),
    ),
    "proof-file": Target(read=read_proof_file, refusals=(ContentMalformed,), again=write_proof_file),
    "entries": Target(read=lambda octets: decode_entries(octets[1:], (octets or b"\0")[0]), refusals=(ProofUnfit,)),
    "witness-request": Target(
        read=read_request,
        refusals=(ContentMalformed,),
        again=lambda read: write_request(read.old_size, read.proof, write_note(read.note)),
    ),
    "witness-size": Target(read=read_size, refusals=(ContentMalformed,), again=write_size),
}

TARGETS: Targets = {**CONTENTS, **INSIDE, **STATED, **CONFIGURED, **HELD, **KEPT, **PUBLISHED}
