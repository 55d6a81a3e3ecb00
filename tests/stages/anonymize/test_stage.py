"""Anonymize: slots per conversation, keyed senders, and a result that no setting of the machine changes."""

from __future__ import annotations

import json
import re
import stat
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rejoinder.home import home
from stages.anonymize.lexicon import packaged
from stages.anonymize.preview import preview
from stages.anonymize.pseudonyms import VARIABLE, key_id, load_key, pseudonym
from stages.anonymize.spans import TYPES
from stages.anonymize.stage import Params, run
from stages.anonymize.surrogates import Surrogates
from stages.common.errors import DataError
from stages.common.messages import FEEDBACK, MESSAGES, Participant, part_of, part_path, part_paths, read_messages
from stages.ingest.chunks import participant_table, sender_table
from stages.ingest.erasure import erased_table
from tests.reach import ROOT

KEY = "ab" * 32
PARAMS = Params(workers=1, batch_size=16, surrogates=False)

TALK = [
    ("c1", "Ann", "I talked to Kendra Lowe yesterday, mail her: kendra@example.org"),
    ("c2", "Ann", "Did you know that Roberto lives here?"),
    ("c1", "Bob", "who, kendra? i will write to KENDRA@example.org"),
    ("c2", "Cy", "no, but roberto's number is 808-555-1557"),
    ("c1", "Ann", "yes"),
]


def table(rows: Sequence[tuple[str, str, str]], source: str = "native") -> pl.DataFrame:
    sent_at = datetime(2024, 5, 1, tzinfo=UTC)
    data = [
        (source, f"{source}/{c}", str(i), who, sent_at, i, text, None, "user", None)
        for i, (c, who, text) in enumerate(rows)
    ]
    return pl.DataFrame(data, schema=MESSAGES, orient="row")


def in_parts(messages: pl.DataFrame, directory: Path, parts: int) -> Path:
    directory.mkdir(parents=True)
    numbers = [part_of(conversation_id, parts) for conversation_id in messages["conversation_id"]]
    for number in range(parts):
        messages.filter([n == number for n in numbers]).write_parquet(part_path(directory, number, parts))
    return directory


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> bytes:
    monkeypatch.setenv(VARIABLE, KEY)
    return bytes.fromhex(KEY)


def people(messages: pl.DataFrame, folder: Path, *names: Participant) -> dict[str, Path]:
    """Write who takes part and who was erased, as the ingest stage does."""
    known = [sender_table(messages), participant_table(messages["source"][0], names)]
    pl.concat(known).write_parquet(folder / "participants.parquet")
    erased_table([("native", "Zoe", 7)]).write_parquet(folder / "erased.parquet")
    FEEDBACK.to_frame().write_parquet(folder / "feedback.parquet")
    return {name: folder / f"{name}.parquet" for name in ("participants", "erased", "feedback")}


def by_order(path: Path) -> pl.DataFrame:
    return read_messages(path).sort("order")


def test_run_replaces_text_and_senders_and_nothing_else(tmp_path: Path, key: bytes) -> None:
    messages = in_parts(table(TALK), tmp_path / "messages", parts=3)
    run(PARAMS, messages=messages, **people(table(TALK), tmp_path), out=tmp_path / "out")
    before, after = by_order(messages), by_order(tmp_path / "out/messages")
    assert before.drop("text", "sender").equals(after.drop("text", "sender"))
    assert after["text"].to_list() == [
        "I talked to <PERSON_1> yesterday, mail her: <EMAIL_1>",
        "Did you know that <PERSON_1> lives here?",
        "who, <PERSON_1>? i will write to <EMAIL_1>",
        "no, but <PERSON_1>'s number is <PHONE_1>",
        "yes",
    ]
    senders = after["sender"].to_list()
    assert senders[0] == senders[1] == senders[4] == pseudonym(key, "native", "Ann")
    assert len(set(senders)) == 3
    assert [p.name for p in part_paths(messages)] == [p.name for p in part_paths(tmp_path / "out/messages")]
    assert not (tmp_path / "out/surrogates").exists()


def test_ids_that_apps_make_of_people_become_pseudonyms(tmp_path: Path) -> None:
    messages = in_parts(table(TALK, source="messenger"), tmp_path / "messages", parts=1)
    run(PARAMS, messages=messages, **people(table(TALK), tmp_path), out=tmp_path / "out")
    after = by_order(tmp_path / "out/messages")
    ids = after["conversation_id"]
    assert ids[0] == ids[2] == ids[4] != ids[1] == ids[3]
    assert all(re.fullmatch(r"messenger/[0-9a-f]{16}", value) for value in ids)
    assert after["message_id"].n_unique() == len(TALK)
    assert after["message_id"].str.contains(r"^[0-9a-f]{16}$").all()


def test_erased_senders_are_named_by_the_pseudonyms_they_would_have(tmp_path: Path, key: bytes) -> None:
    messages = in_parts(table(TALK), tmp_path / "messages", parts=1)
    run(PARAMS, messages=messages, **people(table(TALK), tmp_path), out=tmp_path / "out")
    text = (tmp_path / "out/erased.json").read_text()
    assert json.loads(text) == {"senders": [pseudonym(key, "native", "Zoe")], "messages": 7}
    assert "Zoe" not in text
    known = people(table(TALK), tmp_path)
    known["erased"].write_bytes(b"no table")
    with pytest.raises(DataError, match="expected a table of erased senders"):
        run(PARAMS, messages=messages, **known, out=tmp_path / "again")


def test_cards_count_and_never_quote(tmp_path: Path, key: bytes) -> None:
    messages = in_parts(table(TALK), tmp_path / "messages", parts=2)
    run(PARAMS, messages=messages, **people(table(TALK), tmp_path), out=tmp_path / "out")
    text = (tmp_path / "out/card.json").read_text()
    card, entities = json.loads(text), json.loads((tmp_path / "out/entities.json").read_text())
    assert (card["messages"], card["recognized_share"]) == (5, 0.4)
    assert {k: n for k, n in card["replaced"].items() if n} == {"PERSON": 4, "EMAIL": 2, "PHONE": 1}
    assert card["replaced_per_1000"]["PERSON"] == 800
    assert card["key_id"] == key_id(key)
    assert {"entity": "EMAIL", "count": 2, "per_1000": 400.0} in entities
    assert not any(secret in text.casefold() for secret in ("kendra", "roberto", "ann", KEY))


def test_workers_parts_and_batches_change_nothing(tmp_path: Path) -> None:
    rows = [(f"c{number % 23}", who, text) for number, (_, who, text) in enumerate(TALK * 12)]
    results = []
    for number, (workers, batch_size, parts) in enumerate([(1, 64, 1), (1, 3, 9), (2, 64, 4)]):
        messages = in_parts(table(rows), tmp_path / f"messages{number}", parts)
        out = tmp_path / f"out{number}"
        run(
            Params(workers=workers, batch_size=batch_size, surrogates=False),
            messages=messages,
            **people(table(TALK), tmp_path),
            out=out,
        )
        results.append((by_order(out / "messages"), (out / "card.json").read_text()))
    assert results[0][0].equals(results[1][0])
    assert results[0][0].equals(results[2][0])
    assert results[0][1] == results[1][1] == results[2][1]


def test_surrogates_read_like_text_hide_what_was_there_and_depend_on_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages = in_parts(table(TALK), tmp_path / "messages", parts=2)
    params = Params(workers=1, batch_size=16, surrogates=True)
    run(params, messages=messages, **people(table(TALK), tmp_path), out=tmp_path / "out")
    run(params, messages=messages, **people(table(TALK), tmp_path), out=tmp_path / "same")
    monkeypatch.setenv(VARIABLE, "cd" * 32)
    run(params, messages=messages, **people(table(TALK), tmp_path), out=tmp_path / "other")
    texts, same, other = (
        by_order(tmp_path / name / "surrogates")["text"].to_list() for name in ("out", "same", "other")
    )
    assert texts == same != other
    assert not any(
        secret in text.lower() for text in texts for secret in ("kendra", "lowe", "roberto", "1557", "<")
    )
    name = re.fullmatch(r"I talked to (\w+) \w+ yesterday, mail her: user\d{6}@example\.com", texts[0])
    assert name
    assert texts[2].startswith(f"who, {name[1].lower()}? i will write to user")
    assert re.search(r"number is 202-555-01\d\d", texts[3])
    assert texts[4] == "yes"


def test_no_surrogate_can_be_a_secret_of_the_canaries() -> None:
    canaries = yaml.safe_load((ROOT / "params.yaml").read_text())["ingest"]["canaries"]
    secrets = {secret.lower() for canary in canaries for secret in canary["secrets"]}
    assert secrets
    assert not secrets & (packaged().first_names | packaged().common_surnames)
    made = Surrogates(bytes(32), "c", {})
    for kind in TYPES:
        texts = {made(kind, f"{number:09}").lower() for number in range(3000)}
        assert not [secret for secret in secrets for text in texts if secret in text]


def test_preview_shows_text_and_spans_over_the_input_and_explains_on_request() -> None:
    lines = ["call kendra at 808-555-1557 🙂\n", "nothing here"]
    plain = [json.loads(shown) for shown in preview(lines, explain=False)]
    assert plain[0] == {"text": "call <PERSON_1> at <PHONE_1> 🙂", "spans": [[5, 11, "PERSON"], [15, 27, "PHONE"]]}
    assert plain[1] == {"text": "nothing here", "spans": []}
    explained = [json.loads(shown) for shown in preview(lines, explain=True, batch=1)]
    assert [len(row["rules"]) for row in explained] == [2, 0]
    assert explained[0]["rules"][1] == "phone"


def test_preview_is_a_command_that_needs_no_paths() -> None:
    command = [sys.executable, "-m", "stages", "anonymize", "--preview", "--explain"]
    done = subprocess.run(command, input="mail me: a@b.org", capture_output=True, text=True, check=True, cwd=ROOT)
    assert json.loads(done.stdout) == {
        "text": "mail me: <EMAIL_1>",
        "spans": [[9, 16, "EMAIL"]],
        "rules": ["email"],
    }


def test_pseudonyms_depend_on_key_source_and_sender(key: bytes) -> None:
    named = {pseudonym(k, s, w) for k in (key, bytes(32)) for s in ("native", "chitchat") for w in ("Ann", "Bob")}
    assert len(named) == 8
    assert all(len(name) == 16 and int(name, 16) >= 0 for name in named)


@given(st.sampled_from(TYPES), st.text(min_size=1, max_size=30), st.text(max_size=5))
def test_every_type_has_a_surrogate_that_is_stable_in_its_conversation(kind: str, surface: str, where: str) -> None:
    one, two = Surrogates(bytes(32), where, {}), Surrogates(bytes(32), where, {})
    assert one(kind, surface) == two(kind, surface)


def test_the_key_is_made_once_private_and_said_without_its_value(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(VARIABLE)
    file = home() / "anonymize.key"
    key = load_key()
    said = capsys.readouterr()
    assert len(key) == 32
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert str(file) in said.err
    assert key.hex() not in said.err + said.out
    assert load_key() == key
    assert capsys.readouterr().err == ""


def test_the_environment_comes_first_and_a_bad_key_is_refused_unquoted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = home() / "anonymize.key"
    monkeypatch.setenv(VARIABLE, KEY)
    assert load_key() == bytes.fromhex(KEY)
    assert not file.exists()
    monkeypatch.setenv(VARIABLE, "hunter2")
    with pytest.raises(DataError, match=VARIABLE) as caught:
        load_key()
    assert "hunter2" not in str(caught.value)
    monkeypatch.delenv(VARIABLE)
    file.parent.mkdir()
    file.write_text("ü" * 64)
    with pytest.raises(DataError, match=r"anonymize\.key"):
        load_key()
