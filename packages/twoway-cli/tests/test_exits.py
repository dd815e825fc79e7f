from __future__ import annotations

from twoway.cli._exits import MEANINGS, Exit, show_exits


def test_each_status_has_a_meaning_of_its_own():
    assert set(MEANINGS) == set(Exit)
    assert len(set(MEANINGS.values())) == len(Exit)


def test_the_list_for_people():
    assert show_exits()[0] == ("0", "all was done, and the connection ended in order")
    assert [int(number) for number, _ in show_exits()] == sorted(Exit)
