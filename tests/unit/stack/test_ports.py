"""Ports are free, distinct, and the same again where they can be."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from civicwire.stack import ports
from schemas.errors import FatalError


@pytest.fixture
def taken():
    with socket.socket() as listener:
        listener.bind((ports.LOOPBACK, 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_port_on_which_something_listens_is_not_free(taken):
    assert not ports.is_free(taken)
    assert ports.answers(taken)


def test_a_remembered_port_is_used_again():
    remembered = ports.allocate(["kafka"], {})
    assert ports.allocate(["registry", "kafka"], remembered)["kafka"] == remembered["kafka"]


def test_a_remembered_port_that_something_else_took_is_replaced(taken):
    assert ports.allocate(["kafka"], {"kafka": taken})["kafka"] != taken


def test_no_port_is_given_twice_even_when_it_is_remembered_twice():
    one = ports.allocate(["a"], {})["a"]
    given = ports.allocate(["a", "b", "c"], {"a": one, "b": one})
    assert len(set(given.values())) == 3


def test_new_ports_lie_below_those_of_outgoing_connections():
    outgoing = Path("/proc/sys/net/ipv4/ip_local_port_range")
    if not outgoing.exists():
        pytest.skip("only Linux tells its range of outgoing ports")
    first = int(outgoing.read_text(encoding="ascii").split()[0])
    assert all(port < first for port in ports.allocate(map(str, range(20)), {}).values())


def test_it_is_said_when_no_port_is_left(monkeypatch):
    monkeypatch.setattr(ports, "is_free", lambda _: False)
    with pytest.raises(FatalError, match="No free port"):
        ports.allocate(["kafka"], {})
