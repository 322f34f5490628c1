"""[time] is read strictly, and names another source than the one that sets the clock."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from keybroker.config.disciplining import check_another_source, disciplining_files, hosts_named_in
from keybroker.config.file import TimeTable, host_of, port_of
from keybroker.errors import ConfigurationInvalid

GOOD: dict[str, Any] = {
    "source": "time.example:123",
    "largest_difference_seconds": 1,
    "read_every_seconds": 64,
    "reading_counts_seconds": 200.5,
    "timeout_seconds": 2,
}


@pytest.mark.parametrize("key", GOOD)
def test_refuses_a_table_without_a_key_that_guards(key: str) -> None:
    with pytest.raises(ValidationError, match=key):
        TimeTable.model_validate({name: value for name, value in GOOD.items() if name != key})


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"surprise": 1}, "surprise"),
        ({"source": "time.example"}, "host:port"),
        ({"source": "time.example:0"}, "host:port"),
        ({"source": "time.example:65536"}, "host:port"),
        ({"source": "::1:123"}, "host:port"),
        ({"source": "ntp://time.example:123"}, "host:port"),
        ({"network_time": "dcc example:123"}, "host:port"),
        ({"network_time": "TIME.example.:124"}, "compared with itself"),
        ({"largest_difference_seconds": 0}, "largest_difference"),
        ({"largest_difference_seconds": 60.1}, "largest_difference"),
        ({"largest_difference_seconds": float("nan")}, "largest_difference"),
        ({"largest_difference_seconds": "1"}, "largest_difference"),
        ({"largest_difference_seconds": True}, "largest_difference"),
        ({"read_every_seconds": 0.5}, "read_every"),
        ({"reading_counts_seconds": 66}, "shut between two readings"),
        ({"reading_counts_seconds": float("inf")}, "reading_counts"),
        ({"timeout_seconds": 6}, "timeout"),
    ],
)
def test_refuses_a_table_that_cannot_be_meant(changes: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        TimeTable.model_validate(GOOD | changes)


@pytest.mark.parametrize(
    ("place", "host", "port"),
    [
        ("time.example:123", "time.example", 123),
        ("[2001:DB8::1]:4123", "2001:db8::1", 4123),
        ("10.0.0.1:1", "10.0.0.1", 1),
    ],
)
def test_reads_a_good_table(place: str, host: str, port: int) -> None:
    table = TimeTable.model_validate(GOOD | {"source": place, "network_time": "dcc.example:123"})
    assert (host_of(table.source), port_of(table.source)) == (host, port)


# ---- what disciplines this machine's clock

FILES = {
    "chrony": "pool 2.debian.pool.ntp.example iburst\n server  Time.Example. iburst\n#server other.example\n",
    "timesyncd": "[Time]\nNTP=ntp.example time.example\n#FallbackNTP=other.example\n",
    "timesyncd's fallback": "[Time]\nFallbackNTP=time.example\n",
    "ntpd": "driftfile /var/lib/ntp/drift\nserver -4 time.example\n",
    "ntpd's peer": "peer TIME.EXAMPLE key 1\n",
}


@pytest.mark.parametrize("text", FILES.values(), ids=FILES)
def test_refuses_a_source_that_disciplines_this_machine(text: str) -> None:
    with pytest.raises(ConfigurationInvalid, match=r"time\.source.*disciplines.*/etc/x\.conf.*G2\.46-G2\.47"):
        check_another_source(TimeTable.model_validate(GOOD), {"/etc/x.conf": text})
    another = TimeTable.model_validate(GOOD | {"source": "other.example:123", "network_time": "time.example:123"})
    check_another_source(another, {"/etc/x.conf": text})


@pytest.mark.parametrize("source", ["localhost:123", "127.0.0.1:123", "[::1]:123"])
def test_refuses_the_time_server_of_this_machine(source: str) -> None:
    with pytest.raises(ConfigurationInvalid, match="compared with itself"):
        check_another_source(TimeTable.model_validate(GOOD | {"source": source}), {})


def test_reads_the_files_where_distributions_put_them(tmp_path: Path) -> None:
    for name in ("etc/chrony/chrony.conf", "etc/chrony/sources.d/a.sources", "etc/systemd/timesyncd.conf"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("server time.example\n")
    (tmp_path / "etc/ntp.conf").mkdir()
    found = disciplining_files(root=tmp_path)
    assert len(found) == 3
    assert {host for text in found.values() for host in hosts_named_in(text)} == {"time.example"}
    check_another_source(None, found)
