"""Whatever happens is one line, as words or as JSON; what libraries say is told without what was put into it."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from io import StringIO

import pytest

from rejoinder.serving.events import tell_warnings, teller


@pytest.fixture(autouse=True)
def _loggers_as_before() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in ("uvicorn.error", "asyncio")]
    before = [(logger.handlers, logger.propagate) for logger in loggers]
    yield
    for logger, (handlers, propagate) in zip(loggers, before, strict=True):
        logger.handlers, logger.propagate = handlers, propagate


def test_an_event_as_words_is_one_line() -> None:
    said = StringIO()
    teller(as_json=False, worker=2, to=said)("swap failed", tries=3, message="not\nnow")
    at, *words = said.getvalue().split(" ")
    assert at.endswith("+00:00")
    assert " ".join(words) == "swap failed worker=2 tries=3 not now\n"


def test_an_event_as_json_is_one_object_a_line() -> None:
    said = StringIO()
    say = teller(as_json=True, to=said)
    say("ready", port=8080)
    say("swap failed", message="not\nnow")
    first, second = map(json.loads, said.getvalue().splitlines())
    assert (first["event"], first["port"]) == ("ready", 8080)
    assert second["message"] == "not\nnow"
    assert "worker" not in first


@pytest.mark.parametrize("name", ["uvicorn.error", "asyncio"])
def test_what_a_library_warns_of_is_told_without_what_it_quotes(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = StringIO()
    tell_warnings(teller(as_json=True, to=said))
    logger = logging.getLogger(name)
    logger.info("nobody needs this")
    try:
        raise KeyError("xylophone")
    except KeyError:
        logger.exception("It failed with %s\nfuture: xylophone", "xylophone")
    [told] = map(json.loads, said.getvalue().splitlines())
    assert (told["event"], told["by"], told["kind"]) == ("warning", name, "KeyError")
    assert told["message"] == "It failed with %s"
    assert "xylophone" not in said.getvalue() + "".join(capsys.readouterr())
