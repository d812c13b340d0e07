"""The address policy of development: what it refuses however it is written, and that calls obey it."""

import socket

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from penstock.errors import COMMUNICATION, Fault
from penstock.tools.addresses import AddressRefused, GuardedResolver, development_policy
from penstock.tools.http import perform_http
from penstock.tools.http_client import HttpClient, HttpResponse
from penstock.tools.http_request import HttpRequest


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254", "169.254.0.1", "fe80::1", "fe80::1%1", "::ffff:169.254.169.254",
        "::169.254.169.254",
        "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1", "fd00:ec2::254", "100.100.100.200",
    ],
)  # fmt: skip
def test_link_local_and_metadata_addresses_are_refused(address):
    reason = development_policy("host.example", ["192.0.2.1", address])
    assert reason is not None
    assert "host.example" in reason


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "10.0.0.1", "192.168.1.1", "192.0.2.1", "2001:db8::1"])
def test_other_addresses_are_allowed(address):
    assert development_policy("host.example", [address]) is None


class _Fixed(AbstractResolver):
    """A name server that gives one address for every name."""

    def __init__(self, address: str) -> None:
        self._address = address

    async def resolve(self, host, port=0, family=socket.AF_UNSPEC) -> list[ResolveResult]:
        address: ResolveResult = {
            "hostname": host, "host": self._address, "port": port, "family": family, "proto": 0, "flags": 0,
        }  # fmt: skip
        return [address]

    async def close(self) -> None:
        pass


async def test_a_name_that_leads_to_a_refused_address_is_refused():
    with pytest.raises(AddressRefused, match=r"rebound\.example"):
        await GuardedResolver(development_policy, _Fixed("169.254.169.254")).resolve("rebound.example", 80)
    assert await GuardedResolver(development_policy, _Fixed("127.0.0.1")).resolve("fine.example", 80)


@pytest.mark.parametrize(
    "host",
    ["169.254.169.254", "[fe80::1]", "[::ffff:169.254.169.254]", "2852039166", "0xa9fea9fe", "169.254.43518"],
)
async def test_a_call_to_a_refused_address_is_a_fault(client, context, host):
    arguments = {"method": "GET", "uri": f"http://{host}/latest/meta-data"}
    fault = await perform_http(client, arguments, context, call_id="c", deadline_at=1_010_000)
    assert isinstance(fault, Fault)
    assert not fault.unknown_outcome


async def test_the_fault_says_why(client, context):
    arguments = {"method": "GET", "uri": "http://169.254.169.254/"}
    fault = await perform_http(client, arguments, context, call_id="c", deadline_at=1_010_000)
    assert isinstance(fault, Fault)
    assert (fault.type, fault.title) == (COMMUNICATION, "Address not allowed")
    assert "link-local or metadata" in fault.detail


async def test_a_redirect_obeys_the_policy(client, service):
    uri = service.on("/a", status=302, headers={"Location": "http://169.254.169.254/"})
    fault = await client.exchange(HttpRequest("GET", uri), timeout_ms=5000, redirect=True)
    assert isinstance(fault, Fault)
    assert fault.title == "Address not allowed"


async def test_a_policy_of_ones_own_sees_names_with_their_addresses(service):
    asked: list[tuple[str, tuple[str, ...]]] = []

    def policy(host, addresses):
        asked.append((host, tuple(addresses)))
        return "names are closed today" if host == "localhost" else None

    client = HttpClient(policy=policy)
    port = service.base.rsplit(":", 1)[1]
    service.on("/a", text="ok")
    refused = await client.exchange(HttpRequest("GET", f"http://localhost:{port}/a"), timeout_ms=5000)
    allowed = await client.exchange(HttpRequest("GET", f"http://127.0.0.1:{port}/a"), timeout_ms=5000)
    await client.close()
    assert isinstance(refused, Fault)
    assert "names are closed today" in refused.detail
    assert isinstance(allowed, HttpResponse)
    assert "127.0.0.1" in dict(asked)["localhost"]
    assert dict(asked)["127.0.0.1"] == ("127.0.0.1",)
