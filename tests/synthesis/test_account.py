"""One progress for several runs: what it hears, and what follows from a refusal."""

from vizlib.synthesis.account import Account


def test_the_steps_of_runs_are_counted_on_and_previews_are_shown_as_asked():
    heard = []
    account = Account(lambda *told: heard.append(told), 5)
    first, second = account.run(), None
    assert [first(i, 2, "a") for i in (1, 2)] == [True, True]
    second = account.run(shown=str.upper)
    assert [second(i, 3, "b") for i in (1, 2, 3)] == [True, True, True]
    assert heard == [(1, 5, "a"), (2, 5, "a"), (3, 5, "B"), (4, 5, "B"), (5, 5, "B")] and not account.refused


def test_a_refusal_is_remembered():
    account = Account(lambda done, total, preview: done < 2, 9)
    tell = account.run()
    assert tell(1, 2, None) and not account.refused
    assert not tell(2, 2, None) and account.refused


def test_where_nobody_listens_no_preview_is_made():
    assert Account(None, 3).run(shown=lambda preview: 1 / 0) is None
