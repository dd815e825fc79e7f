from __future__ import annotations

import pytest

from twoway.auth import PasswordAuth, netrc_auth


@pytest.fixture
def netrc_file(tmp_path):
    path = tmp_path / "netrc"
    path.write_text("machine a.example login ada password secret\nmachine b.example login bob\n")
    path.chmod(0o600)
    return path


def test_host(netrc_file):
    auth = netrc_auth("a.example", netrc_file)
    assert isinstance(auth, PasswordAuth)
    assert (auth.username, auth.password, auth.preemptive) == ("ada", "secret", False)
    assert netrc_auth("b.example", str(netrc_file)).password == ""
    assert netrc_auth("c.example", netrc_file) is None


def test_default(netrc_file):
    netrc_file.write_text("default login anna password other\n")
    assert netrc_auth("c.example", netrc_file).username == "anna"


def test_home_directory(netrc_file, monkeypatch):
    monkeypatch.setenv("HOME", str(netrc_file.parent))
    monkeypatch.setenv("USERPROFILE", str(netrc_file.parent))
    assert netrc_auth("a.example") is None
    netrc_file.rename(netrc_file.parent / ".netrc")
    assert netrc_auth("a.example").username == "ada"


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        netrc_auth("a.example", tmp_path / "netrc")


def test_malformed_file_is_not_shown(netrc_file):
    netrc_file.write_text("machine a.example login ada password secret secret\n")
    with pytest.raises(ValueError, match="path must be a netrc file; line [12] of .*netrc") as caught:
        netrc_auth("a.example", netrc_file)
    assert "secret" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_user_name_that_cannot_be_sent(netrc_file):
    netrc_file.write_text("machine a.example login a:b password secret\n")
    with pytest.raises(ValueError, match="colon"):
        netrc_auth("a.example", netrc_file)
