"""Which addresses may be called: however they are written, whatever a name says the second time, on every hop."""

import socket
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import CONFIGURATION, Fault
from penstock.tools.address_kinds import kind_of, literal_of
from penstock.tools.addresses import AddressRefused, GuardedResolver, check_literal
from penstock.tools.http import perform_http
from penstock.tools.http_client import HttpClient, HttpResponse
from penstock.tools.http_request import HttpRequest
from penstock.tools.outbound import OutboundPolicy, is_loopback, parse_allowed
from penstock.tools.resources import ResourceFetcher, ResourceUnavailable

NAT64 = IPv6Network("64:ff9b::/96")
STRICT = OutboundPolicy()
DEVELOPMENT = OutboundPolicy(in_development=lambda: True)
CONFINED = [
    "169.254.169.254", "169.254.0.1", "fe80::1", "fe80::1%1", "::ffff:169.254.169.254", "::169.254.169.254",
    "64:ff9b::a9fe:a9fe", "64:ff9b:1::a9fe:a9fe", "2002:a9fe:a9fe::1", "fd00:ec2::254", "100.100.100.200",
    "168.63.129.16", "::ffff:0:a9fe:a9fe", "2001:0:a9fe:a9fe::", "2001:0:102:304:0:0:5601:5601",
]  # fmt: skip
INSIDE = [
    "127.0.0.1", "127.255.255.254", "::1", "0.0.0.0", "::",  # noqa: S104 - to be refused
    "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",
    "100.64.0.1", "100.127.255.255", "fc00::1", "fd12::1", "fec0::1", "192.0.2.1", "198.51.100.7", "203.0.113.9",
    "2001:db8::1", "3fff::1", "224.0.0.1", "255.255.255.255", "240.0.0.1", "198.18.0.1", "192.0.0.1", "192.88.99.1",
    "ff02::1", "::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2002:0a00:0001::1", "100::1",
    "2001:10::1", "4000::1",
]  # fmt: skip
PUBLIC = ["1.1.1.1", "172.32.0.1", "100.128.0.1", "11.0.0.1", "2606:4700::1111", "64:ff9b::101:101", "::ffff:1.1.1.1"]


@pytest.mark.parametrize("address", CONFINED)
def test_link_local_and_metadata_addresses_are_refused_in_development_too(address: str) -> None:
    for policy in (STRICT, DEVELOPMENT):
        reason = policy("host.example", 80, ["1.1.1.1", address])
        assert reason is not None
        assert "host.example" in reason
        assert address in reason


@pytest.mark.parametrize("address", INSIDE)
def test_other_addresses_that_are_not_public_are_for_development(address: str) -> None:
    assert DEVELOPMENT("host.example", 80, [address]) is None
    assert "PENSTOCK_ALLOW_HOSTS" in str(STRICT("host.example", 80, ["1.1.1.1", address]))


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_can_be_called(address: str) -> None:
    assert STRICT("host.example", 80, [address]) is None


@given(st.ip_addresses())
def test_what_the_library_knows_as_private_is_never_called_public(address: IPv4Address | IPv6Address) -> None:
    meant = (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
    # To the library the well-known NAT64 prefix is reserved, though it reaches public addresses.
    if (meant.is_private or meant.is_link_local or meant.is_multicast or meant.is_reserved) and meant not in NAT64:
        assert kind_of(address) is not None


ALLOWED: list[tuple[str, str, int, str, bool]] = [
    ("internal.example", "internal.example", 80, "10.0.0.1", True),
    ("internal.example", "INTERNAL.example.", 443, "10.0.0.1", True),
    ("internal.example", "other.example", 80, "10.0.0.1", False),
    ("internal.example", "internal.example", 80, "169.254.169.254", False),
    ("internal.example:8080", "internal.example", 8080, "127.0.0.1", True),
    ("internal.example:8080", "internal.example", 8081, "127.0.0.1", False),
    ("10.0.0.0/8", "any.example", 80, "10.9.9.9", True),
    ("10.0.0.0/8", "any.example", 80, "::ffff:10.9.9.9", True),
    ("10.0.0.0/8", "any.example", 80, "11.0.0.1", True),
    ("10.0.0.0/8", "any.example", 80, "192.168.0.1", False),
    ("0.0.0.0/0", "any.example", 80, "192.168.0.1", True),
    ("0.0.0.0/0", "any.example", 80, "169.254.169.254", False),
    ("169.254.0.0/16", "any.example", 80, "169.254.169.254", False),
    ("169.254.169.254", "any.example", 80, "169.254.169.254", True),
    ("169.254.169.254:80", "169.254.169.254", 81, "169.254.169.254", False),
    ("::/0", "any.example", 80, "fe80::1", False),
    ("[::1]:80", "::1", 80, "::1", True),
    ("[::1]", "::1", 81, "::1", True),
    ("fd00::/8", "any.example", 80, "fd12::1", True),
    ("fd00::/8", "any.example", 80, "fd00:ec2::254", False),
    ("a.example, 127.0.0.1:9 ,b.example", "b.example", 1, "10.0.0.1", True),
]


@pytest.mark.parametrize(("entries", "host", "port", "address", "admitted"), ALLOWED)
def test_an_operator_allows_by_name(entries: str, host: str, port: int, address: str, admitted: bool) -> None:
    policy = OutboundPolicy(parse_allowed(entries))
    assert (policy(host, port, [address]) is None) is admitted


@pytest.mark.parametrize(
    "entry", ["*", "*.example", "a b", "10.0.0.1/8", "a:0", "a:65536", "a:x", "a:", "http://a", "-", "1.2.3.4.5", "::x"]
)
def test_an_entry_that_means_nothing_is_refused(entry: str) -> None:
    with pytest.raises(ValueError, match=r"neither|no port"):
        parse_allowed(f"good.example,{entry}")


# Forms of IPv4 addresses

NUMBER: dict[str, Callable[[int], str]] = {
    "decimal": str,
    "octal": lambda number: f"0{number:o}",
    "padded octal": lambda number: f"000{number:o}",
    "hex": lambda number: f"0x{number:x}",
    "HEX": lambda number: f"0X{number:04X}",
}
forms = st.sampled_from(sorted(NUMBER))
targets = st.sampled_from(["127.0.0.1", "169.254.169.254"])


@st.composite
def written(draw: st.DrawFn, address: str) -> str:
    """The address in one of the forms that systems read: 1 to 4 parts, each in a form of its own."""
    octets = [int(part) for part in address.split(".")]
    heads = draw(st.integers(0, 3))
    last = int.from_bytes(bytes(octets[heads:]), "big")
    parts = [NUMBER[draw(forms)](number) for number in [*octets[:heads], last]]
    return ".".join(parts) + draw(st.sampled_from(["", "."]))


@given(targets.flatmap(lambda address: st.tuples(st.just(address), written(address))))
def test_every_form_of_an_address_is_read_and_refused(case: tuple[str, str]) -> None:
    address, host = case
    assert literal_of(host) == ip_address(address)
    assert socket.inet_aton(host.removesuffix(".")) == ip_address(address).packed
    with pytest.raises(AddressRefused, match=address):
        check_literal(STRICT, host, 80)


@st.composite
def wrapped(draw: st.DrawFn, address: str) -> str:
    """The address inside an IPv6 one, in one of the ways of writing that."""
    number = int(IPv4Address(address))
    six = draw(
        st.sampled_from(
            [
                0xFFFF << 32 | number,
                0xFFFF << 48 | number,
                0x64FF9B << 96 | number,
                0x2002 << 112 | number << 80 | 1,
                0x20010000 << 96 | number << 64,
                0x20010000 << 96 | 0x01010101 << 64 | (number ^ 0xFFFF_FFFF),
                number,
            ]
        )
    )
    host = draw(st.sampled_from([str(IPv6Address(six)), IPv6Address(six).exploded]))
    return f"[{draw(st.sampled_from([host, host.upper()]))}]"


@given(targets.flatmap(wrapped))
def test_every_ipv6_form_of_an_address_is_refused(host: str) -> None:
    with pytest.raises(AddressRefused):
        check_literal(STRICT, host, 80)


@given(targets.flatmap(lambda address: st.one_of(written(address), wrapped(address))))
def test_metadata_in_every_form_is_refused_in_development(host: str) -> None:
    address = literal_of(host)
    assert address is not None
    assert (kind_of(address) in {"link-local", "metadata"}) == (DEVELOPMENT(host, 80, [str(address)]) is not None)


@pytest.mark.parametrize(
    "host", ["1.2.3.4.5", "256.1.1.1", "1.2.3.0x", "08.1.1.1", "4294967296", "a.b.1", "1..2", "::x"]
)
def test_what_ends_in_a_number_and_is_no_address_is_refused(host: str) -> None:
    if host == "1.2.3.0x":
        assert literal_of(host) == IPv4Address("1.2.3.0")
        return
    with pytest.raises(AddressRefused):
        check_literal(DEVELOPMENT, host, 80)


@pytest.mark.parametrize("host", ["example.com", "1.example", "0x7f.example", "localhost", "a", "x1"])
def test_names_are_left_to_the_resolver(host: str) -> None:
    assert check_literal(STRICT, host, 80) is None


def test_loopback_is_known_by_name_and_address() -> None:
    assert all(map(is_loopback, ["localhost", "LOCALHOST.", "127.0.0.1", "[::1]", "127.8.8.8"]))
    assert not any(map(is_loopback, ["", "localhost.example", "10.0.0.1", "0.0.0.0", "::"]))  # noqa: S104


# Calls


class Answers(AbstractResolver):
    """A name server that gives one answer after the other, for every name; the last one for ever."""

    def __init__(self, *answers: str) -> None:
        self._answers = list(answers)
        self.asked: list[tuple[str, int]] = []

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        self.asked.append((host, port))
        found = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return [
            {"hostname": host, "host": one, "port": port, "family": socket.AF_INET, "proto": 0, "flags": 0}
            for one in found.split()
        ]

    async def close(self) -> None:
        pass


def port_of(service) -> int:
    return int(service.base.rsplit(":", 1)[1])


async def exchanged(client: HttpClient, uri: str, *, redirect: bool = False) -> HttpResponse | Fault:
    return await client.exchange(HttpRequest("GET", uri), timeout_ms=5000, redirect=redirect)


async def test_a_name_that_leads_to_a_refused_address_is_refused():
    with pytest.raises(AddressRefused, match=r"rebound\.example"):
        await GuardedResolver(DEVELOPMENT, Answers("169.254.169.254")).resolve("rebound.example", 80)
    assert await GuardedResolver(DEVELOPMENT, Answers("127.0.0.1")).resolve("fine.example", 80)


async def test_a_name_that_changes_its_mind_gains_nothing(service, other, waits):
    """The address that was looked at is the one connected to: one question for each connection, and no other."""
    service.on("/a", text="first")
    other.on("/a", text="second")
    # 127.0.0.1 stands for a public address: the only one allowed.
    resolver = Answers("127.0.0.1", "127.0.0.2", "127.0.0.1 127.0.0.2")
    client = HttpClient(policy=OutboundPolicy(parse_allowed("127.0.0.1")), sleep=waits, resolver=resolver)
    first = await exchanged(client, f"http://rebound.example:{port_of(service)}/a")
    second = await exchanged(client, f"http://rebound.example:{port_of(other)}/a")
    third = await exchanged(client, f"http://rebound.example:{port_of(other)}/a")
    await client.close()
    assert isinstance(first, HttpResponse)
    assert first.body == b"first"
    for refused in (second, third):
        assert isinstance(refused, Fault)
        assert (refused.type, refused.title) == (CONFIGURATION, "Address not allowed")
        assert "rebound.example is at 127.0.0.2, a loopback address" in refused.detail
        assert "PENSTOCK_ALLOW_HOSTS" in refused.detail
    assert len(resolver.asked) == 3
    assert other.seen == []


@pytest.mark.parametrize(
    "location",
    ["http://127.0.0.2:{port}/b", "http://2130706434:{port}/b", "http://[::ffff:7f00:2]:{port}/b",
     "//inside.example:{port}/b"],
)  # fmt: skip
async def test_a_redirect_to_a_private_address_is_refused(service, other, waits, location):
    other.on("/b", text="secret")
    uri = service.on("/a", status=302, headers={"Location": location.format(port=port_of(other))})
    policy = OutboundPolicy(parse_allowed("127.0.0.1"))
    client = HttpClient(policy=policy, sleep=waits, resolver=Answers("127.0.0.2"))
    fault = await exchanged(client, uri, redirect=True)
    await client.close()
    assert isinstance(fault, Fault)
    assert (fault.type, fault.title, fault.unknown_outcome) == (CONFIGURATION, "Address not allowed", False)
    assert other.seen == []


async def test_a_later_hop_is_looked_at_too(service, client):
    service.on("/b", status=307, headers={"Location": "http://169.254.169.254/"})
    fault = await exchanged(client, service.on("/a", status=302, headers={"Location": "/b"}), redirect=True)
    assert isinstance(fault, Fault)
    assert fault.title == "Address not allowed"
    assert "169.254.169.254" in fault.detail


@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "[::ffff:127.0.0.1]"])
async def test_every_form_of_loopback_is_refused_without_a_connection_and_without_waiting(service, waits, host):
    service.on("/a", text="secret")
    client = HttpClient(sleep=waits)
    fault = await exchanged(client, f"http://{host}:{port_of(service)}/a")
    await client.close()
    assert isinstance(fault, Fault)
    assert (fault.type, fault.status, fault.title) == (CONFIGURATION, 400, "Address not allowed")
    assert (service.seen, waits.seconds) == ([], [])


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1"])
async def test_an_allowed_address_can_be_written_in_every_form(service, client, host):
    service.on("/a", text="ok")
    answer = await exchanged(client, f"http://{host}:{port_of(service)}/a")
    assert isinstance(answer, HttpResponse)
    assert service.seen[0].headers["Host"] == service.base.removeprefix("http://")


async def test_a_host_that_is_allowed_with_its_port_is_called_there_alone(service, other, waits):
    service.on("/a", text="ok")
    other.on("/a", text="secret")
    client = HttpClient(policy=OutboundPolicy(parse_allowed(f"localhost:{port_of(service)}")), sleep=waits)
    allowed = await exchanged(client, f"http://localhost:{port_of(service)}/a")
    refused = await exchanged(client, f"http://localhost:{port_of(other)}/a")
    await client.close()
    assert isinstance(allowed, HttpResponse)
    assert isinstance(refused, Fault)
    assert other.seen == []


@pytest.mark.parametrize(
    "host",
    ["169.254.169.254", "[fe80::1]", "[::ffff:169.254.169.254]", "2852039166", "0xa9fea9fe", "169.254.43518"],
)
async def test_a_call_to_a_refused_address_is_a_fault_that_says_why(client, context, host):
    arguments = {"method": "GET", "uri": f"http://{host}/latest/meta-data"}
    fault = await perform_http(client, arguments, context, call_id="c", deadline_at=1_010_000)
    assert isinstance(fault, Fault)
    assert (fault.type, fault.title, fault.unknown_outcome) == (CONFIGURATION, "Address not allowed", False)
    assert "link-local" in fault.detail


async def test_a_document_to_be_pinned_obeys_the_policy(service, waits):
    uri = service.on("/schema.json", text="{}")
    client = HttpClient(sleep=waits)
    with pytest.raises(ResourceUnavailable, match="PENSTOCK_ALLOW_HOSTS"):
        await ResourceFetcher(client).fetch(uri)
    await client.close()
    assert service.seen == []


async def test_a_policy_of_ones_own_sees_names_with_their_addresses(service):
    asked: list[tuple[str, int, tuple[str, ...]]] = []

    def policy(host, port, addresses):
        asked.append((host, port, tuple(addresses)))
        return "names are closed today" if host == "localhost" else None

    client = HttpClient(policy=policy)
    port = port_of(service)
    service.on("/a", text="ok")
    refused = await exchanged(client, f"http://localhost:{port}/a")
    allowed = await exchanged(client, f"http://127.0.0.1:{port}/a")
    await client.close()
    assert isinstance(refused, Fault)
    assert "names are closed today" in refused.detail
    assert isinstance(allowed, HttpResponse)
    assert [(host, at) for host, at, _ in asked] == [("localhost", port), ("127.0.0.1", port)]
    assert "127.0.0.1" in asked[0][2]
