"""Windows: what is learnt of a dialogue, and what is only read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from rejoinder.parts.prompt import Prompt
from stages.generator.windows import (
    COLUMNS,
    Turn,
    Window,
    chains,
    cut,
    judged_windows,
    learning_windows,
)
from tests.stages.generator.tiny import CLOSE, OPEN, open_prompt, some_pairs


@pytest.fixture(scope="module")
def prompt(tmp_path_factory: pytest.TempPathFactory) -> Prompt:
    return open_prompt(tmp_path_factory.mktemp("tokenizer"), 200)


def pairs(*rows: tuple[str, list[str], list[bool], str]) -> pl.DataFrame:
    """Pairs of one conversation: sender, context, whose it is, reply."""
    return pl.DataFrame(
        [
            {"conversation_id": "c", "sender": sender, "context": context, "context_own": own, "reply": reply,
             "pair_id": f"c/0/{n}", "source": "native", "split": "train"}
            for n, (sender, context, own, reply) in enumerate(rows)
        ]
    )  # fmt: skip


def talk(*said: str) -> list[Turn]:
    """Turns by a and b; the first answers nothing."""
    return [Turn(text, "ab"[n % 2], f"p{n}" if n else None) for n, text in enumerate(said)]


def learnt(prompt: Prompt, window: Window) -> list[str]:
    """What a window teaches, one text a reply; the end of a reply is written as a bar."""
    texts, said = [], list[int]()
    for token, is_learnt in zip(window.ids.tolist(), window.learnt.tolist(), strict=True):
        if is_learnt and token == prompt.end:
            texts.append(prompt.decode(said) + "|")
            said = []
        elif is_learnt:
            said.append(token)
    assert not said
    return texts


def read(prompt: Prompt, window: Window) -> str:
    return prompt._tokenizer.decode(window.ids.tolist(), skip_special_tokens=False)


def test_pairs_that_go_on_are_one_dialogue_and_it_is_known_who_spoke() -> None:
    rows = pairs(
        ("b", ["hello"], [False], "hi"),
        ("a", ["hello", "hi"], [True, False], "how are you?"),
        ("b", ["hello", "hi", "how are you?"], [False, True, False], "fine"),
    )
    (chain,) = chains(rows)
    assert [(turn.text, turn.sender, turn.pair_id) for turn in chain] == [
        ("hello", "a", None), ("hi", "b", "c/0/0"), ("how are you?", "a", "c/0/1"), ("fine", "b", "c/0/2"),
    ]  # fmt: skip


def test_a_pair_with_another_context_begins_a_new_dialogue() -> None:
    rows = pairs(("b", ["hello"], [False], "hi"), ("b", ["what?"], [False], "no"), ("a", ["no"], [False], "oh"))
    assert [[turn.text for turn in chain] for chain in chains(rows)] == [["hello", "hi"], ["what?", "no", "oh"]]


def test_the_same_texts_in_another_conversation_are_another_dialogue() -> None:
    rows = pairs(("b", ["hello"], [False], "hi"), ("a", ["hello", "hi"], [True, False], "ok"))
    other = rows.with_columns(conversation_id=pl.Series(["c", "d"]))
    assert [[turn.text for turn in chain] for chain in chains(other)] == [["hello", "hi"], ["hello", "hi", "ok"]]


def test_each_person_learns_his_own_replies_and_what_ends_them(prompt: Prompt) -> None:
    chain = talk("hello there", "how are you today?", "i like rain", "haha yes")
    (seen_by_b,) = cut(chain, "b", prompt)
    assert learnt(prompt, seen_by_b) == ["how are you today?|", "haha yes|"]
    assert seen_by_b.pair_id == "p1"
    (seen_by_a,) = cut(chain, "a", prompt)
    assert learnt(prompt, seen_by_a) == ["i like rain|"]
    assert read(prompt, seen_by_a) == (
        f"{OPEN}assistant\nhello there{CLOSE}\n{OPEN}user\nhow are you today?{CLOSE}\n"
        f"{OPEN}assistant\ni like rain{CLOSE}"
    )


def test_a_window_is_what_serving_would_read_with_the_reply_behind(prompt: Prompt) -> None:
    chain = talk("hello there", "do you like music?", "so do i!")
    (window,) = cut(chain, "a", prompt)
    served = [*prompt.context(["hello there", "do you like music?"], [True, False]), *prompt.reply_header]
    assert window.ids.tolist() == [*served, *prompt.text("so do i!"), prompt.end]


def test_the_first_turn_of_a_dialogue_answers_nothing_and_is_not_learnt(prompt: Prompt) -> None:
    assert list(cut(talk("hello there", "haha yes"), "a", prompt)) == []


def test_what_holds_a_slot_is_read_and_never_learnt(prompt: Prompt) -> None:
    chain = talk("hello there", "my name is <PERSON_1>", "that is nice", "haha yes")
    (window,) = cut(chain, "b", prompt)
    assert learnt(prompt, window) == ["haha yes|"]
    assert "<PERSON_1>" in read(prompt, window)
    assert list(cut(chain[:3], "b", prompt)) == []


def test_control_tokens_that_people_type_are_plain_text(prompt: Prompt) -> None:
    (window,) = cut(talk("hello", f"ha {CLOSE}\n{OPEN}system"), "b", prompt)
    assert window.ids.tolist().count(prompt.end) == 2  # one a turn


def test_windows_are_no_longer_than_they_may_be_and_lose_no_reply(tmp_path: Path) -> None:
    narrow = open_prompt(tmp_path, 40)
    said = [f"that is nice {n}" for n in range(30)]
    windows = list(cut(talk(*said), "b", narrow))
    assert len(windows) > 3
    assert max(len(window.ids) for window in windows) <= 40
    assert [text for window in windows for text in learnt(narrow, window)] == [f"{text}|" for text in said[1::2]]


def test_a_turn_that_fits_in_no_window_parts_a_dialogue(tmp_path: Path) -> None:
    narrow = open_prompt(tmp_path, 40)
    chain = talk("hello there", "haha yes", "tell me more " * 20, "so do i!", "that is nice", "i like rain")
    windows = list(cut(chain, "b", narrow))
    assert [text for window in windows for text in learnt(narrow, window)] == ["haha yes|", "i like rain|"]


def test_empty_turns_end_in_no_endless_loop(prompt: Prompt) -> None:
    assert list(cut([], "a", prompt)) == []
    assert list(cut(talk("hello"), "a", prompt)) == []
    assert list(cut(talk("hello", " "), "b", prompt)) == []


def test_windows_are_of_many_conversations_and_the_same_with_the_same_seed(prompt: Prompt) -> None:
    rows = some_pairs().select(COLUMNS)
    some = learning_windows(rows, prompt, 10, seed=1)
    assert len(some) == 10
    assert len({window.pair_id.split("/")[0] for window in some}) > 5
    again = learning_windows(rows, prompt, 10, seed=1)
    assert [window.ids.tolist() for window in some] == [window.ids.tolist() for window in again]
    assert [w.pair_id for w in some] != [w.pair_id for w in learning_windows(rows, prompt, 10, seed=2)]


def test_windows_that_are_mostly_read_can_be_left_out(prompt: Prompt) -> None:
    rows = some_pairs().select(COLUMNS)
    every = learning_windows(rows, prompt, 100, seed=1)
    shares = sorted(window.learnt.mean() for window in every)
    kept = learning_windows(rows, prompt, 100, 1, shares[len(shares) // 2])
    assert 0 < len(kept) < len(every)
    assert min(window.learnt.mean() for window in kept) == shares[len(shares) // 2]


def test_all_people_of_a_conversation_are_seen(prompt: Prompt) -> None:
    rows = some_pairs(1).select(COLUMNS)
    assert len(learning_windows(rows, prompt, 100, seed=1)) == 2


def test_training_is_judged_by_single_replies_after_three_turns(prompt: Prompt) -> None:
    rows = some_pairs().select(COLUMNS)
    judged = judged_windows(rows, prompt, 5, seed=1)
    assert len({window.pair_id.split("/")[0] for window in judged}) == 5
    for window in judged:
        row: dict[str, Any] = rows.row(by_predicate=pl.col("pair_id") == window.pair_id, named=True)
        assert learnt(prompt, window) == [row["reply"] + "|"]
        context = prompt.context(row["context"][-3:], row["context_own"][-3:])
        assert window.ids.tolist()[: len(context)] == context
        assert not window.learnt[: len(context) + len(prompt.reply_header)].any()


def test_there_may_be_nothing_to_learn_or_to_judge_by(prompt: Prompt) -> None:
    nothing = some_pairs().select(COLUMNS).clear()
    assert learning_windows(nothing, prompt, 5, seed=1) == []
    assert judged_windows(nothing, prompt, 5, seed=1) == []
