"""Talks out of answers: clients send the whole history with each request, so turns come again, and branch.

A conversation is a tree of turns. Its main line is the one that was answered last; what leaves it (an answer that
was made anew, a turn that was edited) is a branch: a conversation `<conversation>/<completion>`, which repeats some
turns of context under their ids, so that `dialogues` counts each once and keeps branches together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from stages.common.messages import Message, Reaction, Role

#: Who speaks where no person does, and where the client does not say who: words, which the anonymiser leaves alone.
BOT, ANYBODY = "bot", "anybody"

#: Turns of context that a branch repeats: the most that `dialogues.context_turns` may be.
REPEATED = 16

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

#: A turn: who, and what.
Said = tuple[Role, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer whose texts were logged.

    Attributes:
        file: where it stood.
        line: in it.
        completion: its id, which reactions name.
        id: the same, numbered where a completion has several texts.
        at: milliseconds since 1970.
        user: who asked.
        context: what was answered, oldest first; at least one turn.
        reply: what was said.
    """

    file: str
    line: int
    completion: str
    id: str
    at: int
    user: str
    context: tuple[Said, ...]
    reply: str

    @property
    def order(self) -> tuple[int, str, int]:
        """By time; of one moment, by place."""
        return self.at, self.file, self.line


@dataclass(eq=False, slots=True)
class Turn:
    """A turn in the tree of a conversation.

    Attributes:
        before: what it follows; None for the root, which nobody said.
        said: who, and what.
        owner: the first answer that knows it.
        place: in that one's context.
        after: what follows it.
        answers: those that said it, in the order of their times.
    """

    before: Turn | None
    said: Said
    owner: Answer
    place: int
    after: dict[Said, Turn] = field(default_factory=dict)
    answers: list[Answer] = field(default_factory=list)

    def then(self, said: Said, owner: Answer, place: int) -> Turn:
        """Give the turn that follows; one that nobody knows yet is made."""
        return self.after.setdefault(_key(said), Turn(self, said, owner, place))

    def line(self) -> list[Turn]:
        """List the turns up to this one, oldest first, without the root."""
        found, turn = [], self
        while turn.before is not None:
            found.append(turn)
            turn = turn.before
        return found[::-1]

    def ends(self, said: Sequence[Said]) -> bool:
        """Tell whether the turns up to this one end with these."""
        last = self.line()[-len(said) :]
        return [_key(turn.said) for turn in last] == [_key(each) for each in said]


def _key(said: Said) -> Said:
    return said[0], " ".join(said[1].split())  # front ends trim what they send back


class Talk:
    """The tree of one conversation, which answers are added to in the order of their times."""

    def __init__(self, first: Answer, *, is_short: bool) -> None:
        """Plant the root.

        Args:
            first: any answer.
            is_short: whether the client sends the last message alone.
        """
        self._root = Turn(None, ("bot", ""), first, 0)
        self._is_short = is_short
        self._last: Turn | None = None
        self._known: dict[Said, list[Turn]] = {}
        #: Turns that an answer said, in the order of their first ones.
        self.replies: list[Turn] = []

    def add(self, answer: Answer) -> None:
        """Add an answer, and what of its context was not known."""
        asked = self._before(answer).then(answer.context[-1], answer, len(answer.context) - 1)
        reply = self._noted(asked.then(("bot", answer.reply), answer, len(answer.context)))
        if not reply.answers:
            self.replies.append(reply)
        reply.answers.append(answer)
        self._last = reply

    def _before(self, answer: Answer) -> Turn:
        """Find what the last turn of its context follows."""
        *earlier, last = answer.context
        if self._is_short and self._last is not None:
            # The same again, at once, was answered anew; anything else goes on.
            asked = self._last.before
            is_again = asked is not None and _key(asked.said) == _key(last)
            return asked.before if is_again and asked and asked.before else self._last
        return self._reached(earlier) or self._new(earlier, answer)

    def _reached(self, earlier: Sequence[Said]) -> Turn | None:
        turn: Turn | None = self._root
        for said in earlier:
            turn = turn.after.get(_key(said)) if turn else None
        if turn is not None:
            return turn
        # Many clients send the last turns only: the newest line that ends so.
        return next((end for end in reversed(self._known.get(_key(earlier[-1]), [])) if end.ends(earlier)), None)

    def _new(self, earlier: Sequence[Said], answer: Answer) -> Turn:
        turn = self._root
        for place, said in enumerate(earlier):
            turn = self._noted(turn.then(said, answer, place))
        return turn

    def _noted(self, turn: Turn) -> Turn:
        known = self._known.setdefault(_key(turn.said), [])
        if turn not in known:
            known.append(turn)
        return turn


#: A turn of a line, and the answer that said it, if it is known.
Spoken = tuple[Turn, Answer | None]


def grow(answers: Iterable[Answer]) -> list[Turn]:
    """Make the tree of a conversation.

    Args:
        answers: all of it, at least one, in any order.

    Returns:
        The turns that answers said.
    """
    ordered = sorted(answers, key=lambda answer: answer.order)
    talk = Talk(ordered[0], is_short=all(len(answer.context) == 1 for answer in ordered))
    for answer in ordered:
        talk.add(answer)
    return talk.replies


def lines(replies: Sequence[Turn], rated: Collection[str]) -> Iterator[tuple[str | None, list[Spoken]]]:
    """List the main line, then the branches, the newest first.

    Args:
        replies: as from `grow`.
        rated: completions with a reaction.

    Yields:
        The name of the branch, None for the main line, and its turns from the first one. Of answers that said the
        same to the same all but the last are branches only where they are rated.
    """
    ends = sorted(
        (turn for turn in replies if not turn.after), key=lambda turn: turn.answers[-1].order, reverse=True
    )
    for number, end in enumerate(ends):
        yield end.answers[-1].id if number else None, _spoken(end)
    for turn in replies:
        for answer in turn.answers[:-1]:
            if answer.completion in rated:
                yield answer.id, [*_spoken(turn)[:-1], (turn, answer)]


def _spoken(end: Turn) -> list[Spoken]:
    return [(turn, turn.answers[-1] if turn.answers else None) for turn in end.line()]


def messages(conversation: str, answers: Iterable[Answer], reactions: Mapping[str, Reaction]) -> Iterator[Message]:
    """Rebuild a conversation.

    Args:
        conversation: its id.
        answers: all of it, at least one, in any order.
        reactions: by completion.

    Yields:
        The messages of its main line, then of each branch. A reaction stands on its reply once.
    """
    known: set[str] = set()
    for branch, line in lines(grow(answers), reactions.keys()):
        ids = [_id(turn, answer) for turn, answer in line]
        new = next((place for place, name in enumerate(ids) if name not in known), len(ids))
        name = conversation if branch is None else f"{conversation}/{branch}"
        times, start = _times(line), max(0, new - REPEATED)
        for place, (turn, answer) in list(enumerate(line))[start:]:
            source = answer or turn.owner
            yield Message(
                file=source.file,
                line=source.line,
                conversation_id=name,
                message_id=ids[place],
                sender=BOT if turn.said[0] == "bot" else turn.owner.user,
                sent_at=_EPOCH + timedelta(milliseconds=times[place]),
                text=answer.reply if answer else turn.said[1],
                reaction=reactions.get(answer.completion) if answer and place >= new else None,
                role=turn.said[0],
                reply_to=ids[place - 1] if place > start else None,
            )
        known.update(ids)


def _id(turn: Turn, answer: Answer | None) -> str:
    """The completion's id; of any other turn a digest of where it was first seen, never of what it says."""
    if answer is not None:
        return answer.id
    return hashlib.sha256(f"{turn.owner.id}\0{turn.place}".encode()).hexdigest()[:32]


def _times(line: Sequence[Spoken]) -> list[int]:
    """Give the turns their times, from the last one back, in milliseconds.

    A person's silence lies between an answer and the first request that knows the next turn: how long somebody
    waited before an old answer was made anew is no silence, or it would cut the answer from its context.
    """
    turn, answer = line[-1]
    times = [(answer or turn.owner).at]
    for place in range(len(line) - 1, 0, -1):
        (turn, _), (_, before) = line[place], line[place - 1]
        silence = turn.owner.at - before.at - 1 if before is not None and turn.said[0] == "user" else 1
        times.append(times[-1] - max(1, silence))
    return times[::-1]
