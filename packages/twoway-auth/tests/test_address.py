from __future__ import annotations

import pytest

from twoway.auth import is_private_address


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LocalHost.",
        "a.localhost",
        "127.0.0.1",
        "127.0.0.1.",
        "127.255.255.254",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "255.255.255.255",
        "224.0.0.1",
        "::1",
        "::",
        "fe80::1%eth0",
        "fd00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "2002:7f00:1::",
        "64:ff9b::7f00:1",
        # What resolvers take for IPv4 addresses.
        "127.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "example.1",
    ],
)
def test_private(host):
    assert is_private_address(host)


@pytest.mark.parametrize(
    "host",
    [
        "example.com",
        "example.com.",
        "localhost.example.com",
        "notlocalhost",
        "127.example.com",
        "8.8.8.8",
        "2606:4700::1111",
        "::ffff:8.8.8.8",
        "2002:808:808::",
        "64:ff9b::808:808",
        "x" * 253,
    ],
)
def test_not_private(host):
    assert not is_private_address(host)
