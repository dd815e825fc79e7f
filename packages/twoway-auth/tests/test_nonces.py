from __future__ import annotations

import base64

import pytest

from twoway.auth._nonces import Nonces

SECRET = bytes(range(32))


def test_lifetime():
    nonces = Nonces(SECRET, 10, 100)
    nonce = nonces.make(1000.0)
    assert len(nonce) == 48
    for age in (-10, -1, 0, 9.9, 10):
        assert nonces.is_good(nonce, 1000 + age)
    for age in (-10.1, 10.1, 1e6):
        assert not nonces.is_good(nonce, 1000 + age)


def test_none_is_like_another():
    nonces = Nonces(SECRET, 10, 100)
    assert len({nonces.make(5.0) for _ in range(100)}) == 100


def test_the_secret_makes_them():
    nonce = Nonces(SECRET, 10, 100).make(5.0)
    assert Nonces(SECRET, 10, 100).is_good(nonce, 5.0)
    assert not Nonces(SECRET[::-1], 10, 100).is_good(nonce, 5.0)
    assert not Nonces(None, 10, 100).is_good(Nonces(None, 10, 100).make(5.0), 5.0)


@pytest.mark.parametrize("change", [0, 7, 8, 19, 20, 35])
def test_forged(change):
    nonces = Nonces(SECRET, 1e6, 100)
    data = bytearray(base64.b64decode(nonces.make(5.0)))
    data[change] ^= 1
    assert not nonces.is_good(base64.b64encode(data).decode(), 5.0)


def test_malformed():
    nonces = Nonces(SECRET, 10, 100)
    nonce = nonces.make(5.0)
    for bad in ("", "a", nonce[:-4], nonce + "AAAA", nonce + "=", nonce + "\n", f" {nonce}", "\xe9" * 48, "A" * 48):
        assert not nonces.is_good(bad, 5.0)
        assert not nonces.use(bad, 1, 5.0)


def test_no_count_twice():
    nonces = Nonces(SECRET, 10, 100)
    one, two = nonces.make(5.0), nonces.make(5.0)
    assert nonces.use(one, 1, 5.0)
    assert not nonces.use(one, 1, 5.0)
    assert nonces.use(one, 3, 5.0)
    assert nonces.use(one, 2, 5.0)  # connections may overtake each other
    assert nonces.use(two, 1, 5.0)
    assert not nonces.use(one, 3, 14.0)


def test_memory_is_bounded_and_no_use_counts_twice_for_it():
    nonces = Nonces(SECRET, 100, 10)
    made = [nonces.make(float(second)) for second in range(20)]
    late = nonces.make(9.5)
    for nonce in made:
        assert nonces.use(nonce, 1, 20.0)
    assert not nonces.use(made[0], 2, 20.0)
    assert len(nonces._used) == len(nonces._order) == 10
    # What was forgotten is no longer good, and neither is what is as old.
    assert [nonces.is_good(nonce, 20.0) for nonce in made] == [False] * 10 + [True] * 10
    assert not nonces.is_good(late, 20.0)
    for nonce in made[10:]:
        assert not nonces.use(nonce, 1, 20.0)


def test_what_is_over_is_forgotten():
    nonces = Nonces(SECRET, 10, 100)
    for second in range(1000):
        assert nonces.use(nonces.make(float(second)), 1, float(second))
        assert len(nonces._used) == len(nonces._order) <= 11
    assert not nonces._forgotten
    assert nonces.is_good(nonces.make(999.0), 999.0)


def test_seconds_of_forgotten_uses_are_bounded_too():
    nonces = Nonces(SECRET, 10, 1)
    for second in range(500):
        nonce = nonces.make(float(second))
        assert nonces.is_good(nonce, float(second))
        assert nonces.use(nonce, 1, float(second))
    assert len(nonces._forgotten) <= 24


def test_another_thread_was_faster():
    nonces = Nonces(SECRET, 10, 100)
    old = nonces.make(0.0)
    nonces.use(old, 1, 0.0)

    class Emptied:
        """The queue as seen when another thread empties it between two steps."""

        def __len__(self):
            return 1

        def append(self, item):
            pass

        def __getitem__(self, index):
            raise IndexError

    nonces._order = Emptied()
    assert nonces.use(nonces.make(1.0), 1, 1.0)


def test_in_threads_one_wins():
    import threading

    nonces = Nonces(SECRET, 10, 50)
    made = [nonces.make(5.0) for _ in range(40)]
    wins = []

    def use():
        for nonce in made:
            if nonces.use(nonce, 1, 5.0):
                wins.append(nonce)

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(wins) == sorted(made)
