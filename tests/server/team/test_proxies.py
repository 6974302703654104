"""Where a request comes from: what a listed proxy says counts, and nobody else's word."""

from ipaddress import ip_network

import pytest

from fraction_mcp.server.team.proxies import Origin, Proxies

PROXIES = Proxies([ip_network("10.0.0.0/8"), ip_network("127.0.0.1"), ip_network("2001:db8:ffff::/48")])


def origin(peer: str, *headers: tuple[str, str]) -> Origin:
    return PROXIES.origin(peer, [(name.lower().encode(), value.encode()) for name, value in headers])


@pytest.mark.parametrize("name", ["X-Forwarded-For", "Forwarded"])
def test_a_stranger_is_who_connects_whatever_it_says(name: str) -> None:
    said = (name, "for=198.51.100.1" if name == "Forwarded" else "198.51.100.1")
    found = origin("203.0.113.5", said, ("X-Forwarded-Proto", "https"))
    assert found == Origin("203.0.113.5", https=False, trusted=False)


@pytest.mark.parametrize(
    ("chain", "client"),
    [
        ("198.51.100.1", "198.51.100.1"),
        ("6.6.6.6, 198.51.100.1", "198.51.100.1"),  # the left one is the client's own invention
        ("6.6.6.6, 198.51.100.1, 10.1.1.1", "198.51.100.1"),
        ("10.9.9.9, 198.51.100.1", "198.51.100.1"),  # a client that says it is a proxy of ours
        ("10.1.1.1, 10.1.1.2", "10.1.1.1"),  # from inside
        ("198.51.100.1:4711", "198.51.100.1"),
        ("[2001:db8::7]:4711", "2001:db8::7"),
        ("2001:db8::7", "2001:db8::7"),
        ("2001:db8::7, 2001:db8:ffff::1", "2001:db8::7"),
        ("::ffff:198.51.100.1", "198.51.100.1"),
        ("6.6.6.6, unknown", "10.0.0.2"),  # nothing left of what is no address counts
        ("6.6.6.6, <script>", "10.0.0.2"),
        ("", "10.0.0.2"),
        (", ".join(["6.6.6.6", *["10.0.0.1"] * 30]), "10.0.0.1"),
    ],
)
def test_behind_a_listed_proxy_the_rightmost_stranger_is_the_client(chain: str, client: str) -> None:
    assert origin("10.0.0.2", ("X-Forwarded-For", chain)).address == client


def test_several_headers_are_one_list() -> None:
    said = [("X-Forwarded-For", "6.6.6.6"), ("X-Forwarded-For", "198.51.100.1")]
    assert origin("10.0.0.2", *said).address == "198.51.100.1"


@pytest.mark.parametrize(
    ("text", "address", "https"),
    [
        ("for=198.51.100.1;proto=https", "198.51.100.1", True),
        ('For="[2001:db8::7]:47011";Proto=https;by=203.0.113.43', "2001:db8::7", True),
        ("for=6.6.6.6;proto=https, for=198.51.100.1;proto=http", "198.51.100.1", False),
        ("for=_hidden;proto=https", "10.0.0.2", True),
    ],
)
def test_the_standard_header_is_read_too(text: str, address: str, https: bool) -> None:
    assert origin("10.0.0.2", ("Forwarded", text)) == Origin(address, https=https, trusted=True)


def test_a_standard_header_that_the_client_sent_through_the_proxy_counts_for_nothing() -> None:
    said = [("X-Forwarded-For", "198.51.100.1"), ("Forwarded", "for=6.6.6.6;proto=https")]
    assert origin("10.0.0.2", *said) == Origin("198.51.100.1", https=False, trusted=True)


def test_the_nearest_proxy_says_whether_it_was_https() -> None:
    assert origin("127.0.0.1", ("X-Forwarded-Proto", "https")).https
    assert not origin("127.0.0.1", ("X-Forwarded-Proto", "https, http")).https
    assert not origin("127.0.0.1").https


def test_an_address_of_four_numbers_is_the_same_in_six() -> None:
    assert PROXIES.is_proxy("::ffff:10.0.0.1")
    assert PROXIES.origin("::ffff:203.0.113.5", []).address == "203.0.113.5"
