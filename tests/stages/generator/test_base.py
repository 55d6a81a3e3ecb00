"""The base: what is opened, how it is spoken to, and what is refused with which words."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from rejoinder.parts.prompt import Prompt, Template
from rejoinder.release.canonical import digest_file
from stages.common.errors import ParamsError
from stages.generator.base import Base, find_base, open_base, weights_sha256
from stages.generator.chat_template import read_template
from tests.stages.generator.gguf_files import write_gguf
from tests.stages.generator.tiny import CHAT, CLOSE, OPEN, TEMPLATE, tiny_llama, write_base, write_tokenizer


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_base(tmp_path_factory.mktemp("base") / "tiny")


@pytest.fixture
def copied(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copied"))


def opened(folder: Path | str, work: Path, sha256: str | None = None, system: str | None = None) -> Base:
    return open_base(str(folder), sha256, system, work)


def test_a_folder_in_hugging_faces_layout_is_opened(folder: Path, tmp_path: Path) -> None:
    base = opened(folder, tmp_path)
    assert base.template == TEMPLATE
    assert not base.model.training
    assert base.facts == {
        "name": "tiny",
        "sha256": digest_file(folder / "model.safetensors").removeprefix("sha256:"),
    }
    assert Prompt(base.tokenizer, base.template, 64).end == 1


def test_a_gguf_file_gives_the_same_model_that_can_be_saved(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "packed").mkdir()
    written = write_gguf(tmp_path / "packed")
    capfd.readouterr()
    base = opened(tmp_path / "packed", tmp_path)
    assert capfd.readouterr().err == ""  # no bars
    ids = torch.arange(2, 22)[None]
    assert torch.allclose(base.model(ids).logits, written(ids).logits, atol=1e-5)
    assert all(part.dtype == torch.float32 for part in base.model.parameters())
    assert base.template == TEMPLATE
    plain = Prompt(tmp_path / "packed" / "tokenizer" / "tokenizer.json", TEMPLATE, 64)
    assert Prompt(base.tokenizer, base.template, 64).turn("i like rain", True) == plain.turn("i like rain", True)
    base.model.save_pretrained(tmp_path / "saved")
    assert "quantization_config" not in json.loads((tmp_path / "saved" / "config.json").read_text())


def test_a_package_is_found_without_being_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "carries_a_model"
    package.mkdir()
    (package / "__init__.py").write_text("raise ImportError('something that is not installed')")
    (package / "model.gguf").write_bytes(b"GGUF")
    monkeypatch.syspath_prepend(tmp_path)
    assert find_base("carries-a-model") == package


def test_the_weights_must_be_those_that_are_meant(folder: Path, tmp_path: Path) -> None:
    assert opened(folder, tmp_path, weights_sha256(folder)).facts["sha256"] == weights_sha256(folder)
    with pytest.raises(ParamsError, match=r"base_sha256: expected weights of SHA-256 0{64}, got [0-9a-f]{64}"):
        opened(folder, tmp_path, "0" * 64)


def test_several_files_of_weights_have_one_digest(tmp_path: Path) -> None:
    for name, text in (("model-1.safetensors", b"a"), ("model-2.safetensors", b"b")):
        (tmp_path / name).write_bytes(text)
    both = weights_sha256(tmp_path)
    (tmp_path / "model-2.safetensors").write_bytes(b"c")
    assert weights_sha256(tmp_path) != both


def test_where_there_is_nothing_it_is_said_how_to_install_it(tmp_path: Path) -> None:
    for name in ("no-such-package", str(tmp_path), "not a name"):
        with pytest.raises(
            ParamsError, match=r"generator.base: expected a folder .* make install .* without what they"
        ):
            find_base(name)


def test_a_folder_of_several_gguf_files_does_not_tell_which(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / f"{name}.gguf").write_bytes(b"GGUF")
    with pytest.raises(ParamsError, match=r"with one \.gguf file"):
        find_base(str(tmp_path))


def change(folder: Path, name: str, **changes: Any) -> None:
    known = json.loads((folder / name).read_text())
    (folder / name).write_text(json.dumps(known | changes))


def without_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()


def without_template(folder: Path) -> None:
    write_tokenizer(folder, chat=None)
    (folder / "chat_template.jinja").unlink(missing_ok=True)


def with_broken_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").write_text("{}")


def of_another_kind(folder: Path) -> None:
    from transformers import GPT2Config, GPT2LMHeadModel

    GPT2LMHeadModel(GPT2Config(vocab_size=330, n_embd=16, n_layer=1, n_head=2)).save_pretrained(folder)


def with_nan(folder: Path) -> None:
    model = tiny_llama(330)
    model.model.layers[1].mlp.up_proj.weight.data[0, 0] = float("nan")
    model.save_pretrained(folder)


def cut_short(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (without_tokenizer, "expected tokenizer.json beside the weights"),
        (with_broken_tokenizer, "expected a tokenizer that transformers can read"),
        (without_template, "expected a tokenizer with a chat template, got none"),
        (of_another_kind, "expected a model of kind llama, mistral, qwen2"),
        (with_nan, "expected weights that are finite numbers, got 1 matrices with others"),
        (cut_short, "expected weights that transformers can read"),
    ],
)
def test_what_no_generator_can_be_made_of_is_refused(
    copied: Path, tmp_path: Path, harm: Callable[[Path], None], told: str
) -> None:
    harm(copied)
    with pytest.raises(ParamsError, match=told) as caught:
        opened(copied, tmp_path)
    assert "Next: " in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"architecture": "unheard-of"}, "got a GGUF file of architecture unheard-of"),
        ({"has_tokenizer": False}, "expected a tokenizer that transformers can read"),
        ({"chat": None}, "expected a tokenizer with a chat template, got none"),
    ],
)
def test_gguf_files_that_cannot_be_used_are_refused(tmp_path: Path, changes: dict[str, Any], told: str) -> None:
    (tmp_path / "packed").mkdir()
    write_gguf(tmp_path / "packed", **changes)
    with pytest.raises(ParamsError, match=told):
        opened(tmp_path / "packed", tmp_path)


def test_a_file_that_is_no_gguf_is_refused(tmp_path: Path) -> None:
    (tmp_path / "packed").mkdir()
    (tmp_path / "packed" / "a.gguf").write_bytes(b"no such thing")
    with pytest.raises(ParamsError, match="expected weights that transformers can read"):
        opened(tmp_path / "packed", tmp_path)


class Speaks:
    """A tokenizer with a chat template."""

    def __init__(self, template: str | None, bos_token: str | None = None) -> None:
        self.chat_template, self.bos_token = template, bos_token

    def apply_chat_template(self, messages: Any, *, tokenize: bool, add_generation_prompt: bool) -> str:
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        def raise_exception(told: str) -> None:
            raise ValueError(told)

        environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
        found = environment.from_string(self.chat_template or "")
        return found.render(
            messages=messages, add_generation_prompt=add_generation_prompt, bos_token=self.bos_token,
            raise_exception=raise_exception,
        )  # fmt: skip


MISTRAL = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'user' %}{{ '[INST] ' + m['content'] + ' [/INST]' }}"
    "{% elif m['role'] == 'assistant' %}{{ ' ' + m['content'] + '</s>' }}"
    "{% else %}{{ raise_exception('no system') }}{% endif %}{% endfor %}"
)
LLAMA3 = (
    "{% for m in messages %}{% set c = '<|start|>' + m['role'] + '<|end|>\n\n' + m['content'] | trim + '<|eot|>' %}"
    "{% if loop.index0 == 0 %}{% set c = bos_token + c %}{% endif %}{{ c }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start|>assistant<|end|>\n\n' }}{% endif %}"
)


def test_a_system_message_that_a_template_adds_by_itself_is_left_out() -> None:
    assert read_template(Speaks(CHAT, OPEN), None) == TEMPLATE


def test_a_system_message_that_is_wanted_opens_every_dialogue() -> None:
    found = read_template(Speaks(CHAT, OPEN), "You chat.")
    assert found == Template(f"{OPEN}system\nYou chat.{CLOSE}\n", TEMPLATE.user, TEMPLATE.bot)


def test_the_token_that_begins_every_text_is_kept() -> None:
    user, bot = (f"<|start|>{role}<|end|>\n\n" for role in ("user", "assistant"))
    assert read_template(Speaks(LLAMA3, "<s>"), None) == Template("<s>", (user, "<|eot|>"), (bot, "<|eot|>"))


def test_where_nothing_else_opens_a_reply_it_is_what_ends_the_turn_before() -> None:
    expected = Template("<s>", ("[INST] ", ""), (" [/INST] ", "</s>"))
    assert read_template(Speaks(MISTRAL, "<s>"), None) == expected


@pytest.mark.parametrize(
    ("template", "system", "told"),
    [
        (None, None, "expected a tokenizer with a chat template"),
        ("{{ messages[0]['content'] }}", None, "that shows every message"),
        ("{% for m in messages %}{{ m['content'] }}{% endfor %}", None, "something after a reply"),
        ("{% for m in messages %}{{ m['content'] }}|{% endfor %}", None, "that opens turns and replies"),
        (
            "{% for m in messages %}{{ loop.index ~ m['role'] ~ m['content'] }}|{% endfor %}",
            None,
            "the same around all",
        ),
        ("{{ raise_exception('a secret') }}", None, "of user and assistant, got ValueError"),
        (MISTRAL, "You chat.", "of a system message, user and assistant, got ValueError"),
    ],
)
def test_templates_that_cannot_be_used_are_refused(template: str | None, system: str | None, told: str) -> None:
    with pytest.raises(ParamsError, match=told) as caught:
        read_template(Speaks(template, "<s>"), system)
    assert "a secret" not in str(caught.value)
