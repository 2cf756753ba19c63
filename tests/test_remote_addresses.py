"""Which addresses may be called, and how URLs and hosts are read."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fediverse.remote import AddressGuard, Refused, target
from fediverse.remote.urls import redirected, split_authority
from tests.support.wire import words

REFUSED = words("""
0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.127.255.255 127.0.0.1 127.255.0.1 169.254.169.254 172.16.0.1
172.31.255.255 192.0.0.1 192.0.2.1 192.88.99.1 192.168.1.1 198.18.0.1 198.19.255.255 198.51.100.7 203.0.113.9 224.0.0.1
239.1.1.1 240.0.0.1 255.255.255.255
:: ::1 ::127.0.0.1 ::ffff:127.0.0.1 ::ffff:7f00:1 ::ffff:10.0.0.1 64:ff9b::7f00:1 64:ff9b::10.0.0.1 64:ff9b:1::1
100::1 2001::1 2001:2::1 2001:db8::1 2002:7f00:1::1 2002:a00:1::1 3fff::1 5f00::1 fc00::1 fd00::1 fe80::1 fec0::1
ff02::1 fe80::1%eth0 2606:4700::1111%eth0
2001:0:7f00:1:0:0:f7f7:f7f7 2001:0:808:808:0:0:80ff:fffe
""")
PERMITTED = words("""
8.8.8.8 1.1.1.1 100.63.255.255 100.128.0.1 172.15.0.1 172.32.0.1 192.0.1.1 198.17.0.1 198.20.0.1 223.255.255.255
2606:4700::1111 2a00:1450:4001::1 ::ffff:8.8.8.8 64:ff9b::808:808 2002:808:808::1 2001:0:808:808:0:0:f7f7:f7f7
""")


@pytest.mark.attack("SSRF-01", "SSRF-02")
@pytest.mark.parametrize("ip", REFUSED)
def test_addresses_that_are_not_public_are_refused(ip: str) -> None:
    assert not AddressGuard().permits(ip, 443)


@pytest.mark.parametrize("ip", PERMITTED)
def test_public_addresses_are_permitted(ip: str) -> None:
    assert AddressGuard().permits(ip, 443)


@pytest.mark.attack("SSRF-02")
@given(st.integers(0, 2**32 - 1))
def test_an_ipv4_address_in_ipv6_clothes_is_judged_like_the_plain_one(number: int) -> None:
    plain = IPv4Address(number)
    guard = AddressGuard()
    for form in (f"::ffff:{plain}", f"64:ff9b::{plain}", f"2002:{number >> 16:x}:{number & 0xFFFF:x}::1"):
        assert guard.permits(form, 443) == guard.permits(plain, 443)


@pytest.mark.parametrize(
    ("allowed", "ip", "port", "expected"),
    [
        ("127.0.0.1:8001", "127.0.0.1", 8001, True),
        ("127.0.0.1:8001", "127.0.0.1", 8002, False),
        ("127.0.0.1:8001", "127.0.0.2", 8001, False),
        ("127.0.0.1:8001", "::ffff:127.0.0.1", 8001, True),
        ("127.0.0.1", "127.0.0.1", 1, True),
        ("10.0.0.0/8", "10.200.3.4", 65535, True),
        ("10.0.0.0/8", "11.0.0.1", 80, False),
        ("[::1]:8001", "::1", 8001, True),
        ("[::1]:8001", "::1", 8002, False),
        ("[::1]", "::1", 8002, True),
        ("::1", "::1", 8002, True),
        ("fd00::/8", "fd12::1", 80, True),
        ("fe80::/10", "fe80::1%eth0", 80, False),
        (" 10.0.0.1 , 127.0.0.1:8001, ", "127.0.0.1", 8001, True),
        ("0.0.0.0/0", "::1", 80, False),
    ],
)
def test_the_allow_list_opens_just_what_it_names(allowed: str, ip: str, port: int, expected: bool) -> None:
    guard = AddressGuard(allowed)
    assert guard.all_allowlisted([ip], port) is expected
    assert AddressGuard([*allowed.split(",")]).all_allowlisted([ip], port) is expected
    if not ip.startswith("11."):
        assert guard.permits(ip, port) is expected


def test_all_allowlisted_wants_every_address_and_at_least_one() -> None:
    guard = AddressGuard("127.0.0.1")
    assert guard.all_allowlisted(["127.0.0.1", "127.0.0.1"], 80)
    assert not guard.all_allowlisted(["127.0.0.1", "8.8.8.8"], 80)
    assert not guard.all_allowlisted([], 80)


@pytest.mark.parametrize(
    "entry",
    words(
        "localhost localhost:8001 127.1 127.0.0.1: 127.0.0.1:0 127.0.0.1:65536 10.0.0.1/8 10.0.0.0/33 [127.0.0.1 "
        "[::1]8001 ::1:g 0177.0.0.1 10.0.0.0/8:80 * 127.0.0.1;10.0.0.1"
    ),
)
def test_a_malformed_entry_is_refused_in_a_sentence(entry: str) -> None:
    with pytest.raises(ValueError, match=r"Write (an IP address|another one)") as refusal:
        AddressGuard(f"127.0.0.1,{entry}")
    assert entry in str(refusal.value)


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("https://Example.COM", "https://example.com/"),
        ("HTTPS://example.com:443/a", "https://example.com/a"),
        ("http://example.com:80/", "http://example.com/"),
        ("https://example.com:8443/A?b=%2f#frag", "https://example.com:8443/A?b=%2f"),
        ("https://example.com.?x", "https://example.com/?x"),
        ("https://münchen.example/straße", "https://xn--mnchen-3ya.example/stra%C3%9Fe"),
        ("https://[2606:4700:0::1111]:443/@a", "https://[2606:4700::1111]/@a"),
        ("https://a_b.example/../x", "https://a_b.example/../x"),
    ],
)
def test_a_url_is_made_canonical_but_its_path_is_kept(written: str, canonical: str) -> None:
    read = target(written)
    assert read.url == canonical
    assert str(read.yarl) == canonical
    assert target(canonical).url == canonical


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com",
        "ftp://example.com/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "https://",
        "https:///path",
        "https://user@example.com/",
        "https://good.example:443@127.0.0.1/",
        "https://example.com\\@127.0.0.1/",
        "https://exa mple.com/",
        "https://example.com/a\r\nX: y",
        "https://example.com/\x00",
        "https://example.com:0/",
        "https://example.com:65536/",
        "https://example.com:80:80/",
        "https://exam%70le.com/",
        "https://-example.com/",
        "https://ex..ample.com/",
        "https://[::1/",
        "https://[example.com]/",
        "https://[fe80::1%25eth0]/",
        "https://example.com/\ud800",
        "https://example.com/" + "a" * 2048,
    ],
)
def test_what_is_no_plain_web_address_is_refused(url: str) -> None:
    with pytest.raises(Refused):
        target(url)


@pytest.mark.parametrize(
    "host",
    words(
        "2130706433 0x7f000001 0177.0.0.1 127.1 127.0.1 0x7f.1 127.0.0.01 127.0.0.256 1.2.3.4.5 example.0x7f １２７.１"
    ),
)
def test_numeric_hosts_other_than_dotted_quads_are_refused(host: str) -> None:
    with pytest.raises(Refused):
        split_authority(host)


def test_other_ways_to_write_a_dotted_quad_come_out_as_the_address() -> None:
    for host in ("127.0.0.1", "127.0.0.1.", "１２７.0.0.1", "127。0。0。1"):
        assert split_authority(host)[2] == IPv4Address("127.0.0.1")


def test_a_redirect_does_not_leave_https() -> None:
    assert redirected(target("https://a.example/x/y"), "../z").url == "https://a.example/z"
    assert redirected(target("http://a.example/"), "https://b.example/").url == "https://b.example/"
    for location in ("http://a.example/", "file:///etc/passwd", "//[::1", "https://127.1/"):
        with pytest.raises(Refused):
            redirected(target("https://a.example/x"), location)
