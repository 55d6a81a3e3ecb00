"""Public spans: only what many people say may be said."""

from __future__ import annotations

from rejoinder.parts.public_spans import PublicSpans, keys_of, telling

KIN = frozenset({"mum", "sister"})


def test_three_words_with_a_number_or_kin_may_tell_of_somebody() -> None:
    assert list(telling(["i", "have", "a", "sister"], KIN)) == ["have a sister"]
    assert list(telling(["my", "12", "cats"], KIN)) == ["my 12 cats"]
    assert list(telling(["we", "are", "seven", "here"], KIN)) == ["we are seven", "are seven here"]
    assert list(telling(["i", "like", "one", "of", "them"], KIN)) == []


def test_eight_words_may_tell_of_somebody() -> None:
    spoken = ["we", "all", "like", "to", "go", "out", "when", "it", "rains"]
    assert list(telling(spoken, KIN)) == ["we all like to go out when it", "all like to go out when it rains"]
    assert list(telling(spoken[:7], KIN)) == []
    public = PublicSpans(keys_of([*spoken, " ".join(spoken[:8])]), KIN)
    assert public.allow(" ".join(spoken[:8]))
    assert not public.allow(" ".join(spoken))


def test_some_things_are_never_said() -> None:
    public = PublicSpans(keys_of(["i", "am", "human", "not", "humane"]), KIN, ["i am human"])
    assert not public.allow("Not? I am human!")
    assert public.allow("i am humane")


def test_a_short_text_is_one_span() -> None:
    assert list(telling(["mum"], KIN)) == ["mum"]
    assert list(telling([], KIN)) == []


def test_a_text_of_public_words_may_be_said_whatever_its_spelling() -> None:
    public = PublicSpans(keys_of(["i", "like", "my", "sister", "like my sister"]), KIN)
    assert public.allow("I like my SISTER!")
    assert not public.allow("my sister, i like")
    assert not public.allow("I like Zorblatt")
    assert not public.allow("!?")
    assert not public.allow("")


def test_keys_rise_and_come_once() -> None:
    keys = keys_of(["b", "a", "b"])
    assert len(keys) == 2
    assert keys[0] < keys[1]
