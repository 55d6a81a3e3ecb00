"""The decision log as conversations: each turn once, each reaction on its reply, whatever a client sends."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stages.common.errors import DataError
from stages.common.messages import Automated, Feedback, Item, Message, Rejected
from stages.ingest.readers import decisions
from stages.ingest.readers.decision_talks import ANYBODY, BOT, REPEATED
from tests.stages.ingest.readers.decision_log import FILE, START, answer, bare, feedback, reaction, write

Talks = dict[str, list[str]]


def read(logs: Path) -> list[Item]:
    return list(decisions.read(logs))


def said(logs: Path) -> dict[str, list[Message]]:
    talks: dict[str, list[Message]] = {}
    for item in read(logs):
        if isinstance(item, Message):
            talks.setdefault(item.conversation_id.partition("-")[2] or item.conversation_id, []).append(item)
    return talks


def texts(logs: Path) -> Talks:
    return {name: [message.text for message in talk] for name, talk in said(logs).items()}


def kinds(logs: Path) -> Counter[str]:
    return Counter(item.kind for item in read(logs) if isinstance(item, Automated))


def two_turns(**changes: Any) -> list[dict[str, Any]]:
    return [
        answer("c1", 0, "hello there", reply="hi!", **changes),
        answer("c2", 30, "hello there", "hi!", "how are you", reply="fine", **changes),
    ]


def test_a_client_that_sends_the_whole_history_has_said_each_turn_once(tmp_path: Path) -> None:
    assert texts(write(tmp_path, *two_turns())) == {"t1": ["hello there", "hi!", "how are you", "fine"]}
    talk = said(tmp_path)["t1"]
    assert [(message.role, message.sender) for message in talk] == [("user", "u1"), ("bot", BOT)] * 2
    assert [message.message_id for message in talk][1::2] == ["c1", "c2"]
    assert [message.reply_to for message in talk] == [None, *(message.message_id for message in talk[:-1])]
    assert talk[1].sent_at == START
    assert talk[2].sent_at == START + timedelta(seconds=29, milliseconds=999)
    assert (talk[3].file, talk[3].line) == (f"decisions/{FILE}", 2)


def test_ids_tell_no_text_and_stay_from_run_to_run(tmp_path: Path) -> None:
    first = said(write(tmp_path / "a", *two_turns()))["t1"]
    more = answer("c3", 60, "hello there", "hi!", "how are you", "fine", "good", reply="yes")
    longer = said(write(tmp_path / "b", *two_turns(), more))["t1"]
    assert [message.message_id for message in longer[:4]] == [message.message_id for message in first]
    same = [answer("x1", 0, "yes", reply="ok", talk="a"), answer("x2", 0, "yes", reply="ok", talk="b")]
    talks = said(write(tmp_path / "c", *same))
    assert talks["a"][0].message_id != talks["b"][0].message_id


def test_a_reaction_stands_on_the_reply_whose_completion_it_names_and_the_last_one_counts(tmp_path: Path) -> None:
    votes = [reaction("c1", 40, "love"), reaction("c1", 50, "downvote"), reaction("c2", 41, "funny")]
    logs = write(tmp_path, *two_turns(), *votes, reaction("c2", 60, None))
    assert [message.reaction for message in said(logs)["t1"]] == [None, "downvote", None, None]
    assert kinds(logs) == {"reaction": 1, "reaction that was changed": 2, "reaction that was taken back": 1}


def test_a_storm_of_votes_is_counted_and_not_believed(tmp_path: Path) -> None:
    storm = [reaction("c1", 50 + n, "downvote", storm=True) for n in range(3)]
    logs = write(tmp_path, *two_turns(), reaction("c1", 40, "love"), *storm, feedback(60, thumb="down", storm=True))
    assert said(logs)["t1"][1].reaction == "love"
    assert kinds(logs) == {"reaction": 1, "reaction in a storm": 3, "feedback in a storm": 1}


def test_an_answer_made_anew_is_a_branch_and_keeps_its_reaction(tmp_path: Path) -> None:
    anew = answer("c3", 45, "hello there", "hi!", "how are you", reply="what?")
    logs = write(tmp_path, *two_turns(), anew, reaction("c2", 50, "love"), reaction("c3", 51, "meaningless"))
    talks = said(logs)
    assert texts(logs) == {
        "t1": ["hello there", "hi!", "how are you", "what?"],
        "t1/c2": ["hello there", "hi!", "how are you", "fine"],
    }
    assert {name: talk[-1].reaction for name, talk in talks.items()} == {"t1": "meaningless", "t1/c2": "love"}
    ids = [[message.message_id for message in talk] for talk in talks.values()]
    assert ids[0][:3] == ids[1][:3]
    assert ids[0][3] != ids[1][3]


def test_how_long_somebody_waited_before_asking_anew_is_no_silence_in_the_talk(tmp_path: Path) -> None:
    anew = answer("c3", 9000, "hello there", "hi!", "how are you", reply="what?")
    for talk in said(write(tmp_path, *two_turns(), anew)).values():
        times = [message.sent_at for message in talk]
        assert times[3] - times[2] == timedelta(milliseconds=1)
        assert times[2] - times[1] == timedelta(seconds=29, milliseconds=999)


def test_an_edited_turn_is_a_branch_and_what_was_said_before_it_is_repeated_without_its_reaction(
    tmp_path: Path,
) -> None:
    edited = answer("c3", 60, "hello there", "hi!", "who are you", reply="an assistant")
    logs = write(tmp_path, *two_turns(), edited, reaction("c1", 61, "love"))
    assert texts(logs)["t1"] == ["hello there", "hi!", "who are you", "an assistant"]
    assert texts(logs)["t1/c2"] == ["hello there", "hi!", "how are you", "fine"]
    assert [message.reaction for talk in said(logs).values() for message in talk].count("love") == 1


def test_the_same_text_answered_anew_is_a_branch_where_it_is_rated(tmp_path: Path) -> None:
    again = answer("c3", 45, "hello there", "hi!", "how are you", reply="fine")
    logs = write(tmp_path, *two_turns(), again)
    assert list(texts(logs)) == ["t1"]
    write(tmp_path, *two_turns(), again, reaction("c2", 50, "downvote"))
    talks = said(logs)
    assert {name: (talk[-1].message_id, talk[-1].reaction) for name, talk in talks.items()} == {
        "t1": ("c3", None),
        "t1/c2": ("c2", "downvote"),
    }


def test_a_branch_repeats_no_more_context_than_a_pair_can_have(tmp_path: Path) -> None:
    turns = [f"turn {n}" for n in range(61)]
    records = [answer(f"c{n:02}", n, *turns[: n + 1], reply=turns[n + 1]) for n in range(0, 60, 2)]
    talks = said(write(tmp_path, *records, answer("new", 99, *turns[:59], reply="anew")))
    assert len(talks["t1"]) == 60
    assert len(talks["t1/c58"]) == REPEATED + 1


def test_a_client_that_sends_its_last_message_alone_goes_on_talking(tmp_path: Path) -> None:
    alone = [("c1", "hello"), ("c2", "how are you"), ("c3", "how are you"), ("c4", "ok")]
    records = [answer(name, 10.0 * n, text, reply=f"reply {n}") for n, (name, text) in enumerate(alone)]
    assert texts(write(tmp_path, *records)) == {
        "t1": ["hello", "reply 0", "how are you", "reply 2", "ok", "reply 3"],
        "t1/c2": ["hello", "reply 0", "how are you", "reply 1"],
    }


def test_a_client_that_sends_the_last_turns_goes_on_where_they_end(tmp_path: Path) -> None:
    windows = [
        answer("c3", 60, "hi!", "how are you", "fine", "good", reply="great"),
        answer("c4", 90, "fine", "good", "great", "bye", reply="see you"),
    ]
    whole = ["hello there", "hi!", "how are you", "fine", "good", "great", "bye", "see you"]
    assert texts(write(tmp_path, *two_turns(), *windows)) == {"t1": whole}


def test_a_log_that_begins_in_the_midst_has_what_was_sent(tmp_path: Path) -> None:
    logs = write(tmp_path, two_turns()[1])
    assert texts(logs) == {"t1": ["hello there", "hi!", "how are you", "fine"]}
    assert [message.role for message in said(logs)["t1"]] == ["user", "bot", "user", "bot"]


def test_what_a_front_end_trims_is_the_same_turn(tmp_path: Path) -> None:
    records = [
        answer("c1", 0, "hello there", reply="hi!\n"),
        answer("c2", 30, "hello  there ", "hi!", "bye", reply="see you"),
    ]
    assert texts(write(tmp_path, *records)) == {"t1": ["hello there", "hi!\n", "bye", "see you"]}


def test_two_workers_files_and_answers_out_of_order_make_one_talk(tmp_path: Path) -> None:
    first, second = two_turns()
    write(tmp_path, second, reaction("c1", 40, "love"))
    write(tmp_path, first, file="20261127T194500Z-w1-72-1.jsonl")
    talk = said(tmp_path)["t1"]
    assert [message.text for message in talk] == ["hello there", "hi!", "how are you", "fine"]
    assert talk[1].reaction == "love"


def test_logs_of_several_servers_lie_in_folders_of_their_own_and_may_share_a_talk(tmp_path: Path) -> None:
    for server, record in zip(("one", "two"), two_turns(), strict=True):
        write(tmp_path / server, record)
        (tmp_path / "logs/decisions").mkdir(parents=True, exist_ok=True)
        (tmp_path / server / "decisions").rename(tmp_path / "logs/decisions" / server)
    talk = said(tmp_path / "logs")["t1"]
    assert [message.text for message in talk] == ["hello there", "hi!", "how are you", "fine"]
    assert [message.file for message in talk] == [f"decisions/{s}/{FILE}" for s in ("one", "one", "two", "two")]


def test_clients_without_user_ids_are_one_sender(tmp_path: Path) -> None:
    records = [answer(f"c{n}", n, f"hello {n}", reply="hi", user=None, talk=f"t{n}") for n in range(5)]
    talks = said(write(tmp_path, *records))
    assert len(talks) == 5
    assert {talk[0].sender for talk in talks.values()} == {ANYBODY}


def test_all_that_one_person_said_has_one_name_before_it_and_so_has_the_feedback(tmp_path: Path) -> None:
    asked = [("t1", "u1"), ("t2", "u1"), ("t3", "u2"), ("t4", None)]
    records = [answer(f"c{talk}", 0, "hello", reply="hi", user=user, talk=talk) for talk, user in asked]
    items = read(write(tmp_path, *records, feedback(9, talk="t2", thumb="up"), feedback(9, talk="t5", thumb="up")))
    names = {item.conversation_id for item in items if isinstance(item, Message)}
    people = {name.partition("-")[2]: name.partition("-")[0] for name in names if "-" in name}
    assert people["t1"] == people["t2"] != people["t3"]
    assert "u1" not in people["t1"]
    assert "t4" in names
    assert [item.conversation_id for item in items if isinstance(item, Feedback)] == [f"{people['t2']}-t2", "t5"]


def test_several_texts_of_one_completion_are_alternatives_of_which_a_reaction_names_none(tmp_path: Path) -> None:
    choices = [answer("c1", 0, "hello", reply=text) for text in ("hi", "hey", "hi")]
    logs = write(tmp_path, *choices, reaction("c1", 10, "love"))
    assert texts(logs) == {"t1": ["hello", "hey"], "t1/c1": ["hello", "hi"]}
    assert [talk[-1].message_id for talk in said(logs).values()] == ["c1/2", "c1"]
    assert [talk[-1].reaction for talk in said(logs).values()] == [None, None]
    assert kinds(logs) == {"reaction to one of several texts": 1, "the same answer again": 1}


def test_answers_without_texts_are_counted_and_their_reactions_too(tmp_path: Path) -> None:
    empty = answer("c2", 5, "hello", reply=None)
    logs = write(tmp_path, bare("c1", 0), empty, reaction("c1", 10, "love"))
    assert not said(logs)
    assert kinds(logs) == {
        "answer without texts": 1, "answer without a reply": 1, "reaction to an answer without texts": 1,
    }  # fmt: skip
    assert all(item.row == "" for item in read(logs) if isinstance(item, Automated))


def test_feedback_is_what_each_rater_said_last_and_a_thumb_is_a_scale(tmp_path: Path) -> None:
    logs = write(
        tmp_path,
        feedback(1, thumb="down"),
        feedback(2, thumb="up"),
        feedback(3, ratings={"interesting": 7}),
        feedback(4, user=None, thumb="down"),
        feedback(5, user="u2", thumb="down"),
        feedback(6, user="u2"),
    )
    found = [(item.ratings, item.rater) for item in read(logs) if isinstance(item, Feedback)]
    assert found == [({"thumb": 10}, "u1"), ({"interesting": 7}, "u1"), ({"thumb": 1}, None)]
    assert kinds(logs) == {"feedback that was changed or taken back": 3}


@pytest.mark.parametrize(
    ("record", "why"),
    [
        (feedback(1, ratings={"interesting": 11}), "ratings: interesting: less_than_equal"),
        (feedback(1, thumb="Zorblax"), "thumb: literal_error"),
        (reaction("c1", 1, "Zorblax"), "reaction: literal_error"),
        (answer("c1", 1, reply="hi"), "context: too_short"),
        (answer(" ", 1, "Zorblax", reply="Zorblax"), "completion: string_pattern_mismatch"),
    ],
)
def test_what_is_no_record_is_rejected_with_its_place_and_without_its_texts(
    tmp_path: Path, record: dict[str, Any], why: str
) -> None:
    (item,) = read(write(tmp_path, record))
    assert isinstance(item, Rejected)
    assert (item.file, item.line, item.row) == (f"decisions/{FILE}", 1, "")
    assert item.reason.startswith(why)
    assert "Zorblax" not in item.reason


def test_a_torn_last_line_costs_no_other(tmp_path: Path) -> None:
    logs = write(tmp_path, *two_turns())
    with (logs / "decisions" / FILE).open("a") as file:
        file.write('{"v": 1, "kind": "ans')
    assert texts(logs) == {"t1": ["hello there", "hi!", "how are you", "fine"]}
    assert not [item for item in read(logs) if isinstance(item, Rejected)]


def test_what_was_erased_from_the_log_is_not_read(tmp_path: Path) -> None:
    logs = write(tmp_path, *two_turns(), answer("c9", 5, "bye", reply="see you", user="u2", talk="t2"))
    stone = {"kind": "user", "id": "u1", "at": "2026-11-28T00:00:00.000Z"}
    (logs / "decisions" / "erased.jsonl").write_text(f"{json.dumps(stone)}\n")
    assert {message.sender for talk in said(logs).values() for message in talk} == {"u2", BOT}
    assert kinds(logs)["erasure"] == 1
    write(logs, *two_turns())
    assert kinds(logs) == {"erasure": 1, "nothing: erased, torn or empty": 1}


def test_tombstones_that_cannot_be_read_stop_the_run(tmp_path: Path) -> None:
    logs = write(tmp_path, *two_turns())
    (logs / "decisions" / "erased.jsonl").write_text("Zorblax\n")
    with pytest.raises(DataError, match=r"erased\.jsonl, line 1") as caught:
        read(logs)
    assert "Zorblax" not in str(caught.value)


def test_no_folder_is_no_source_and_one_without_a_log_is_a_mistake(tmp_path: Path) -> None:
    assert read(tmp_path) == []
    (tmp_path / "decisions").mkdir()
    with pytest.raises(DataError, match=r"expected the \*\.jsonl of HOME/decisions, got none"):
        read(tmp_path)


WORDS = st.sampled_from(["a", "b", "c"])
ANSWERS = st.lists(st.tuples(st.lists(WORDS, min_size=1, max_size=6), WORDS, st.sampled_from("xy")), max_size=8)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ANSWERS)
def test_whatever_a_client_sends_ids_are_unique_and_no_reaction_is_lost(
    tmp_path: Path, sent: list[tuple[list[str], str, str]]
) -> None:
    records = [
        answer(f"c{n}", n, *context, reply=reply, talk=talk) for n, (context, reply, talk) in enumerate(sent)
    ]
    votes = [reaction(f"c{n}", 99, "love") for n in range(len(records))]
    talks = said(write(tmp_path, *records, *votes, bare("none", 0)))
    rated = [message.message_id for talk in talks.values() for message in talk if message.reaction]
    assert sorted(rated) == [f"c{n}" for n in range(len(records))]
    for name, talk in talks.items():
        ids = [message.message_id for message in talk]
        assert len(set(ids)) == len(ids)
        times = [message.sent_at for message in talk]
        assert times == sorted(times)
        assert name.partition("/")[0] in "xy"
