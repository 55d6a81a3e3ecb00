"""Chat template: what a base's own template puts around turns, told by words that nobody says."""

from __future__ import annotations

from typing import Any

from rejoinder.parts.prompt import Template
from stages.common.errors import ParamsError

_SAID = [f"sentinel{n}turn" for n in range(4)]
_SYSTEM = "sentinel9system"
_NEXT = "Next: choose a base that was made for chats (generator.base)"


def read_template(tokenizer: Any, system: str | None) -> Template:
    """Read a template.

    Args:
        tokenizer: a Hugging Face tokenizer.
        system: the system message that opens a dialogue; null for none, whatever the template adds by itself.

    Returns:
        What stands around turns.

    Raises:
        ParamsError: if the tokenizer has no chat template, or one that treats its turns differently.
    """
    if not tokenizer.chat_template:
        raise ParamsError(f"generator.base: expected a tokenizer with a chat template, got none. {_NEXT}")
    first, to_bot, to_user, again, _ = _between(_render(tokenizer, 4), _SAID)
    header = _render(tokenizer, 1, header=True).removeprefix(_render(tokenizer, 1))
    bot_end = _between(_render(tokenizer, 2), _SAID[:2])[2]
    if again != to_bot or not to_bot.endswith(header) or not to_user.startswith(bot_end) or not bot_end:
        raise ParamsError(
            "generator.base: expected a chat template that puts the same around all turns, and something after a "
            f"reply, got another. {_NEXT}"
        )
    user, bot = (to_user.removeprefix(bot_end), to_bot.removesuffix(header)), (header, bot_end)
    if not header:  # what ends the other's turn is all that opens a reply: [/INST]
        user, bot = (user[0], ""), (to_bot, bot_end)
    if not bot[0] or not user[0] or not first.endswith(user[0]):
        raise ParamsError(
            f"generator.base: expected a chat template that opens turns and replies, got none. {_NEXT}"
        )
    return Template(_opening(tokenizer, first.removesuffix(user[0]), user[0], system), user, bot)


def _opening(tokenizer: Any, found: str, user: str, system: str | None) -> str:
    if system is None:  # what the template says by itself is left out, but for the token that begins every text
        begin = tokenizer.bos_token or ""
        return begin if begin and found.startswith(begin) and not user.startswith(begin) else ""
    before, between, _ = _between(_render(tokenizer, 1, system=True), [_SYSTEM, _SAID[0]])
    return before + system.strip() + between.removesuffix(user)


def _render(tokenizer: Any, turns: int, *, header: bool = False, system: bool = False) -> str:
    messages = [{"role": "system", "content": _SYSTEM}] if system else []
    messages += [{"role": ("user", "assistant")[n % 2], "content": _SAID[n]} for n in range(turns)]
    try:
        text: str = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=header)
    except Exception as error:  # a template raises what it likes
        raise ParamsError(
            f"generator.base: expected a chat template of {'a system message, ' * system}user and assistant, got "
            f"{type(error).__name__}. {_NEXT}"
        ) from None
    return text


def _between(text: str, words: list[str]) -> list[str]:
    """What stands before, between and after words that follow each other in a text."""
    parts = []
    for word in words:
        part, found, text = text.partition(word)
        if not found:
            raise ParamsError(
                f"generator.base: expected a chat template that shows every message, got none. {_NEXT}"
            )
        parts.append(part)
    return [*parts, text]
