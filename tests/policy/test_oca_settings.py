"""``[certificates]`` and ``[ecos]`` of the OCA policies: what G2.58 and the profile leave to a file, and what not."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from keybroker.errors import ConfigurationInvalid
from keybroker.policy.file import read_policy
from keybroker.policy.settings import CertificateSettings, EcosSettings

_DIRECTORY = Path(__file__).parent.parent.parent / "policies"
ISSUING, ROOT = (_DIRECTORY / f"{name}.toml" for name in ("issuing-oca", "root-oca"))
LIVE, APPLIED = "service_live_date = 2026-01-01T00:00:00Z\n", "applied_from = 2026-06-01T00:00:00Z\n"


def with_ecos(lines: str) -> bytes:
    return ISSUING.read_text().replace("dcc_euis = []", f"{lines}dcc_euis = []").encode()


def spoilt(path: Path, old: str, new: str) -> bytes:
    text = path.read_text()
    assert old in text
    return text.replace(old, new).encode()


@pytest.mark.parametrize(
    ("octets", "said"),
    [
        (with_ecos(LIVE), "both, or neither"),
        (with_ecos(APPLIED), "both, or neither"),
        (with_ecos(LIVE + "applied_from = 2026-01-01T00:00:00Z\n"), "after service_live_date"),
        (with_ecos(LIVE + "applied_from = 2025-12-31T23:59:59Z\n"), "after service_live_date"),
        (with_ecos("service_live_date = 2026-01-01\n" + APPLIED), "datetime"),
        (spoilt(ISSUING, "dcc_euis = []", 'dcc_euis = ["90b3d51f30000002"]'), "pattern"),
        (spoilt(ISSUING, "dcc_euis = []", 'dcc_euis = ["90-b3-d5-1f-30-00-00-02"]'), "pattern"),
        (spoilt(ISSUING, "dcc_euis = []", ""), "dcc_euis"),
        (spoilt(ISSUING, "[ecos]", "[enduring]"), "enduring"),
        (spoilt(ISSUING, "not_before_within_hours = 24", ""), "not_before_within_hours"),
        (spoilt(ISSUING, "longest_days = 3653", "longest_days = 0"), "longest_days"),
        (spoilt(ROOT, "path_length = 0", "path_length = -1"), "path_length"),
        (spoilt(ROOT, '"1.3.6.1.5.5.7.1.20"', '"id-pe 20"'), "apex_contingency_key_oid"),
    ],
)
def test_refuses_a_file(octets: bytes, said: str) -> None:
    with pytest.raises(ConfigurationInvalid, match=said):
        read_policy(octets, name="oca")


def test_reads_both_dates_or_neither() -> None:
    assert read_policy(ISSUING.read_bytes(), name="oca").settings.ecos == EcosSettings(
        service_live_date=None, applied_from=None, dcc_euis=frozenset()
    )
    assert read_policy(with_ecos(LIVE + APPLIED), name="oca").settings.ecos == EcosSettings(
        service_live_date=datetime(2026, 1, 1, tzinfo=UTC),
        applied_from=datetime(2026, 6, 1, tzinfo=UTC),
        dcc_euis=frozenset(),
    )


def test_what_is_recalled_of_the_profile_stands_in_the_file() -> None:
    assert read_policy(ROOT.read_bytes(), name="oca").settings.certificates == CertificateSettings(
        policy_oids=frozenset({"1.2.826.0.1.8641679.1.2.1.4", "1.2.826.0.1.8641679.1.2.1.2"}),
        longest_days=18263,
        not_before_within_hours=24,
        path_length=0,
        apex_contingency_key_oid="1.3.6.1.5.5.7.1.20",
    )
