"""TOML that nobody wrote by hand is refused by one kind of error, however deep or long it is."""

from __future__ import annotations

import pytest

from keybroker.ceremony.plan import read_plan
from keybroker.config.file import read_file
from keybroker.errors import ConfigurationInvalid
from keybroker.hsm.profile import read_profile
from keybroker.policy.file import read_policy
from keybroker.policy.strict_toml import DEEPEST, read_toml

REFUSED = {
    "no UTF-8": b"a = '\xff'",
    "no TOML": b"a = ",
    "a list in a list, ever so deep": b"a = " + b"[" * 5000 + b"]" * 5000,
    "a table in a table, ever so deep": b"a = " + b"{a=" * 5000 + b"1" + b"}" * 5000,
    "a key of ever so many parts": b".".join([b"a"] * 5000) + b" = 1",
    "one list deeper than the deepest": b"a = " + b"[" * DEEPEST + b"1" + b"]" * DEEPEST,
    "a number longer than Python reads": b"a = " + b"9" * 5000,
}


@pytest.mark.parametrize("what", REFUSED)
def test_refuses(what: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        read_toml(REFUSED[what])
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize("what", REFUSED)
def test_every_reader_of_toml_refuses_as_it_refuses_everything(what: str) -> None:
    octets = REFUSED[what]
    for read in (
        lambda: read_policy(octets, name="a"),
        lambda: read_profile(octets, name="a"),
        lambda: read_file(octets, name="a"),
        lambda: read_plan(octets),
    ):
        with pytest.raises(ConfigurationInvalid):
            read()


def test_reads_what_is_as_deep_as_the_deepest() -> None:
    read = read_toml(b"a = " + b"[" * (DEEPEST - 1) + b"1" + b"]" * (DEEPEST - 1))
    assert str(read).count("[") == DEEPEST - 1
