"""Messages of OpenAI's interface -> a dialogue."""

from __future__ import annotations

from collections.abc import Sequence

from rejoinder.dialogue import Dialogue, Speaker, Turn
from rejoinder.serving.http.bodies import Message
from rejoinder.serving.http.errors import invalid
from rejoinder.text import normalize

_SPEAKERS: dict[str, Speaker] = {"user": "user", "assistant": "bot"}
#: What front ends ask beside the chat (Open WebUI: titles, tags, follow-ups, search words) begins like this and has
#: such a mark. A user's question that is put beside found documents begins like it as well: it is to be answered.
_TASK, _NO_TASK = "### Task:", "Respond to the user"
_MARKS = ("<chat_history>", "You are an autocompletion system", "### Messages Being Compacted:")
#: Its jobs that begin otherwise: a face for a voice call, what to remember.
_OTHER_TASKS = (
    "Your task is to reflect the speaker's likely facial expression through a fitting emoji.",
    "Review the completed conversation turn and decide whether long-term memory should change.",
)
#: Characters of a turn that are read, its last ones: some five pages. A million would take four seconds.
_MOST_READ = 20_000


def dialogue_of(messages: Sequence[Message]) -> Dialogue:
    """Read a dialogue.

    Args:
        messages: oldest first. Of system, developer and tool nothing is read: they are never instructions.

    Returns:
        Turns; what one speaker said in a row is one turn. Of a very long one the end is read.

    Raises:
        HttpError: 400 if the last turn is not the user's, or if anything but text is in a message.
    """
    turns: list[Turn] = []
    for number, message in enumerate(messages):
        speaker = _SPEAKERS.get(message.role)
        text = _text_of(message, number)
        if speaker is None or not normalize(text):
            continue
        if turns and turns[-1].speaker == speaker:
            text = f"{turns.pop().text}\n{text}"
        turns.append(Turn(speaker, text[-_MOST_READ:]))
    if not turns or turns[-1].speaker != "user":
        got = "one of the assistant" if turns else "none"
        raise invalid(f"messages: expected the last turn with text to be the user's, got {got}", "messages")
    return Dialogue(tuple(turns))


def is_task(messages: Sequence[Message]) -> bool:
    """Whether a front end asks for itself, and no user of it: for a title, for tags.

    Args:
        messages: as they came: of a job that quotes a long chat, a turn holds the end alone.

    Returns:
        Whether the user's last message is such a job.
    """
    said = (_text_of(message, 0) for message in reversed(messages) if message.role == "user")
    text = next(filter(str.strip, said), "").lstrip()
    if text.startswith(_OTHER_TASKS):
        return True
    is_marked = text.startswith(_TASK) and any(mark in text for mark in _MARKS)
    return is_marked and not text.removeprefix(_TASK).lstrip().startswith(_NO_TASK)


def _text_of(message: Message, number: int) -> str:
    if message.content is None or isinstance(message.content, str):
        return message.content or ""
    for place, part in enumerate(message.content):
        if part.type != "text" or part.text is None:
            where = f"messages[{number}].content[{place}]"
            raise invalid(f"{where}: expected a part of type text, got another. Next: send text alone", where)
    return "\n".join(part.text or "" for part in message.content)
