from __future__ import annotations

import pytest

from twoway.auth import Attempts, Auth, AuthError


def test_base_cannot_be_used_alone(uri):
    with pytest.raises(NotImplementedError, match="auth must be one of the kinds of Auth"):
        Attempts(uri, auth=Auth())


def test_strange_schemes_are_shown_safely(uri, challenge):
    with pytest.raises(AuthError) as caught:
        Attempts(uri).refuse(challenge(", ".join(f"scheme{i}" for i in range(60))))
    assert len(str(caught.value)) < 250
