"""The command `serve`: what it refuses at once and says so, and what its options mean."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner, Result

from rejoinder.cli import main
from rejoinder.cli_serve import serve as command
from rejoinder.release.proof import Installed
from rejoinder.serving.decisions.read import Logged, read_decisions
from rejoinder.store.store import Store
from tests.bundles import put_in_store
from tests.rejoinder.serving.conftest import Copy, Serve

TOKEN = "a-token-of-the-tests-0123456789"  # noqa: S105


def refused(*options: str, **env: str) -> Result:
    """Run it in this process; it must not come so far as to open anything."""
    result = CliRunner().invoke(command, list(options), env=env)
    assert result.exit_code != 0
    return result


def test_a_bind_beyond_loopback_without_a_token_is_refused() -> None:
    result = refused("--host", "0.0.0.0")  # noqa: S104
    assert "expected a token where other machines can ask" in str(result.exception)


def test_a_short_token_is_refused_wherever_it_comes_from(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("hunter2\n")
    file.chmod(0o600)
    for result in (refused(REJOINDER_TOKEN="hunter2"), refused("--token-file", str(file))):  # noqa: S106
        assert "at least 16 characters" in str(result.exception)
        assert "hunter2" not in str(result.exception) + result.output


def test_a_token_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    file.chmod(0o644)
    assert "expected to be readable by its owner only" in str(refused("--token-file", str(file)).exception)


def test_a_token_is_never_an_option() -> None:
    assert "No such option" in refused("--token", TOKEN).output


@pytest.mark.parametrize(
    "options",
    [
        ["--port", "70000"],
        ["--workers", "0"],
        ["--explore", "2"],
        ["--deadline-ms", "0"],
        ["--batch-rows", "0"],
        ["--generate", "sometimes"],
    ],
)
def test_an_option_that_makes_no_sense_is_refused(options: list[str]) -> None:
    assert refused(*options).exit_code == 2


def test_a_port_that_is_taken_is_told_before_anything_is_opened(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = refused("--port", str(port), "--store", str(tmp_path))
    assert f"127.0.0.1:{port}: expected a free port" in str(result.exception)


def test_the_program_lists_it_and_its_help_says_what_it_binds() -> None:
    assert "serve" in CliRunner().invoke(main, ["--help"]).output
    told = CliRunner().invoke(command, ["--help"]).output
    for word in ("127.0.0.1", "--no-auth", "--log-text", "--workers", "REJOINDER_TOKEN"):
        assert word in told


def test_without_its_extra_it_says_what_to_install() -> None:
    code = "import sys; sys.modules['starlette'] = None; from rejoinder.cli_serve import serve; serve([])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "pip install 'rejoinder[cpu,serve]'" in done.stderr


def test_serving_needs_neither_torch_nor_pandas_nor_pydantic() -> None:
    code = (
        "import sys, json, rejoinder.serving.server, rejoinder.serving.workers; "
        "heavy = ('torch', 'pandas', 'pydantic', 'mlflow', 'transformers'); "
        "print(json.dumps([m for m in heavy if m in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


def test_what_it_logs_with_texts_is_kept_from_others(serve: Serve) -> None:
    server = serve("--log-text", "--retention-days=14")
    reply = server.chat("i feel lonely").json()["choices"][0]["message"]["content"]
    info = server.get("/info").json()
    assert (info["log_text"], info["retention_days"]) == (True, 14.0)
    server.stop()
    folder = server.home / "decisions"
    [record] = [item.record for item in read_decisions(folder) if isinstance(item, Logged)]
    assert (record["context"], record["reply"]) == ([{"speaker": "user", "text": "i feel lonely"}], reply)
    assert [path.stat().st_mode & 0o777 for path in (folder, *folder.glob("*.jsonl"))] == [0o700, 0o600]
    assert (server.home / "decisions.key").stat().st_mode & 0o777 == 0o600


def test_without_a_log_nothing_is_written(serve: Serve) -> None:
    server = serve("--no-log")
    told = server.chat("hello").json()
    assert server.post("/v1/reactions", {"completion_id": told["id"], "reaction": "love"}).status_code == 503
    server.stop()
    assert not (server.home / "decisions").exists()


def test_a_token_from_a_file_is_asked_for(serve: Serve, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    file.chmod(0o600)
    server = serve("--token-file", str(file), "--host", "0.0.0.0")  # noqa: S104
    assert server.chat("hello").status_code == 401
    assert server.get("/info", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
    assert server.get("/health").status_code == 200


def test_a_name_has_to_be_allowed(serve: Serve) -> None:
    server = serve("--allow-host", "Chat.Example.org")
    assert server.get("/info", headers={"Host": "chat.example.org"}).status_code == 200
    assert server.get("/info", headers={"Host": "evil.example"}).status_code == 403


def test_a_proxys_word_on_the_clients_address_is_taken_only_if_it_is_named(serve: Serve) -> None:
    for options, statuses in (([], {429}), (["--proxy=127.0.0.1"], set())):
        server = serve("--no-log", *options)
        with httpx.Client(base_url=server.url) as client:
            told = [
                client.post(
                    f"/v1/conversations/talk-{number}/feedback",
                    json={"thumb": "up"},
                    headers={"X-Forwarded-For": f"10.0.0.{number}"},
                )
                for number in range(125)
            ]
        assert {each.status_code for each in told} == {503} | statuses


def test_it_pulls_as_well_where_that_is_wanted(
    serve: Serve, served_store: Store, next_whole: Installed, copied: Copy, tmp_path: Path
) -> None:
    server = serve("--watch", f"--from={served_store.root}", "--every=0.3", store=Store(tmp_path / "pulled"))
    assert server.chat("hello").json()["model"] == "rejoinder@1"
    put_in_store(served_store, copied(next_whole))
    assert server.wait_for("swapped")["release"].startswith("rejoinder #2 (")
    assert server.stop() == 0


@pytest.mark.parametrize(("options", "is_generated"), [((), False), (("--generate", "always"), True)])
def test_the_command_line_says_when_the_generator_is_asked(
    serve: Serve, options: tuple[str, ...], is_generated: bool
) -> None:
    server = serve(*options)  # the release's own policy is never
    told = server.post("/v1/reply", {"text": "you know pizza"}).json()
    assert ("generator" in {candidate["source"] for candidate in told["candidates"]}) is is_generated
