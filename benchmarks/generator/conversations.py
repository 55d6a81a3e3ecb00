"""Sample conversations: fixed openings by topic and fixed seeds, decoding settings side by side, as a page to read.

The other side follows a script that was written for this (benchmarks/generator/conversations.yaml); the last part
of a topic is who answers with itself, from the same opening. Six turns each. Every answer says where it comes
from, and what else was generated stands below it. `Generator alone` is the first reply that it draws and may say,
without guard and ranker: there decoding settings can be told apart, since a release says what was written before
what it generates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from benchmarks.generator.setting import Setting
from benchmarks.generator.switched import ALWAYS, BELOW, OFF, switched
from benchmarks.parts import Figures, Part
from rejoinder.parts import GENERATOR
from rejoinder.progress import track

if TYPE_CHECKING:
    from rejoinder.parts.opened import OpenRelease

#: What is said, by which part, and what else was generated, each with the reason where it may not be said.
Answered = tuple[str, str, tuple[tuple[str, str], ...]]
#: Turns, which of them are its own, and a seed, to what is said.
Answer = Callable[[Sequence[str], Sequence[bool], int], Answered]
SCRIPTS = Path(__file__).with_name("conversations.yaml")
TEMPLATES = Path(__file__).with_name("templates")
ITSELF = "with itself"
_SEED, _EXCHANGES, _SHOWN = 20, 3, 5
_NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Way:
    """A column: who answers, and how replies are drawn.

    Attributes:
        title: of the column.
        when: the release asks its generator "off", "always" or "below"; empty: the generator answers by itself.
        changes: to the bundle's sampling.
    """

    title: str
    when: str = ""
    changes: Mapping[str, Any] = field(default_factory=dict)

    def answer(self, opened: OpenRelease) -> Answer:
        """Who answers in this column."""
        release = switched(opened, self.when or ALWAYS, **self.changes)
        return _of_release(release) if self.when else _of_generator(release)


WAYS = (
    Way("generator alone, as shipped"),
    Way("generator alone, T .7, p .9", changes={"temperature": 0.7, "top_p": 0.9, "top_k": 0}),
    Way("generator alone, T 1, p .95", changes={"temperature": 1.0, "top_p": 0.95, "top_k": 0}),
    Way("generator alone, greedy", changes={"temperature": 0.0, "n": 1}),
    Way("release, generator always", ALWAYS),
    Way("release, where retrieval is weak", BELOW),
    Way("release, retrieval only", OFF),
)


@dataclass(frozen=True, slots=True)
class Said:
    """One turn.

    Attributes:
        speaker: "user" or "bot".
        text: what was said; empty if nothing was.
        source: where it comes from; empty for what is scripted.
        others: what else was generated, with the reason where it may not be said.
    """

    speaker: str
    text: str
    source: str = ""
    others: tuple[tuple[str, str], ...] = ()


def read_scripts(path: Path = SCRIPTS) -> dict[str, list[list[str]]]:
    """Scripts by topic, each what the other side says, turn by turn."""
    found: dict[str, list[list[str]]] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


def measure(setting: Setting) -> Figures:
    """Hold every conversation in every way, and write both pages."""
    scripts = read_scripts()
    if setting.is_quick:
        scripts = {topic: scripts[topic][:1] for topic in list(scripts)[:2]}
    with setting.release() as opened:
        found = {"release": str(opened.release), "topics": _topics(opened, scripts)}
    files = {"conversations.html": page(found), "conversations-read.md": markdown(found)}
    for name, text in files.items():
        (setting.folder / name).write_text(text, encoding="utf-8")
    return {**found, "shares": _shares(found["topics"])}


def _topics(opened: OpenRelease, scripts: Mapping[str, Sequence[Sequence[str]]]) -> list[dict[str, Any]]:
    ways = {way.title: way.answer(opened) for way in WAYS}
    topics = []
    for topic in track(list(scripts), "conversations", "topic"):
        held = []
        for script in scripts[topic]:
            talks = {title: [asdict(s) for s in talk(answer, script)] for title, answer in ways.items()}
            held.append({"title": script[0], "talks": talks})
        alone = {t: [asdict(s) for s in talk(answer, scripts[topic][0][:1])] for t, answer in ways.items()}
        held.append({"title": f"{ITSELF}: {scripts[topic][0][0]}", "talks": alone})
        topics.append({"topic": topic, "held": held})
    return topics


def talk(answer: Answer, script: Sequence[str], turns: int = 2 * _EXCHANGES) -> list[Said]:
    """Hold one conversation.

    Args:
        answer: who answers.
        script: what the other side says; where it has ended, who answers speaks for it as well.
        turns: in all.

    Returns:
        The turns, oldest first; the last one is empty where nothing was fit to say.
    """
    said = list[Said]()
    while len(said) < turns and not (said and not said[-1].text):
        place = len(said)
        speaker = "user" if place % 2 == 0 else "bot"
        if speaker == "user" and place // 2 < len(script):
            said.append(Said(speaker, script[place // 2]))
            continue
        # Who speaks is the bot in its own eyes, whoever it is on the page.
        own = [one.speaker == speaker for one in said]
        text, source, others = answer([one.text for one in said], own, _SEED + place)
        said.append(Said(speaker, text, source, others))
    return said


def _of_generator(release: OpenRelease) -> Answer:
    """The first reply that the generator draws and may say; no guard, no ranker."""
    generator = release.generator
    if generator is None:
        raise ValueError(f"{release.release}: expected a release with a generator, got one without")

    def answer(turns: Sequence[str], own: Sequence[bool], seed: int) -> Answered:
        drawn = generator.generate(turns, own, seed=seed, is_public=False)
        fit = [reply.text for reply in drawn if generator.is_public(reply.text)]
        text = fit[0] if fit else ""
        others = [(r.text, "" if r.text in fit else "not public") for r in drawn if r.text != text]
        return text, GENERATOR.name, tuple(others[:_SHOWN])

    return answer


def _of_release(release: OpenRelease) -> Answer:
    from rejoinder.answer.asked import Asked
    from rejoinder.answer.responder import Responder
    from rejoinder.dialogue import Dialogue, Turn

    responder = Responder(release)

    def answer(turns: Sequence[str], own: Sequence[bool], seed: int) -> Answered:
        spoken = (Turn("bot" if mine else "user", text) for text, mine in zip(turns, own, strict=True))
        reply = responder.answer(Dialogue(tuple(spoken)), asked=Asked(seed=seed))
        return reply.text or "", *_where(reply)

    return answer


def _where(reply: Any) -> tuple[str, tuple[tuple[str, str], ...]]:
    from stages.benchmark.replies import chosen_of

    chosen = chosen_of(reply)
    made = (c for c in reply.trace.candidates if c.source == GENERATOR.name and c is not chosen)
    others = tuple((c.text, c.dropped or "") for c in made)
    return chosen.source if chosen else reply.trace.route, others[:_SHOWN]


def _shares(topics: Any) -> dict[str, dict[str, float]]:
    """Of every way, the share of answers by each part."""
    found: dict[str, list[str]] = {}
    for topic in topics:
        for held in topic["held"]:
            for title, turns in held["talks"].items():
                said = (
                    t["source"].split("/")[0] if t["text"] else _NOTHING
                    for t in turns
                    if t["source"] or not t["text"]
                )
                found.setdefault(title, []).extend(said)
    return {title: {part: of.count(part) / len(of) for part in sorted(set(of))} for title, of in found.items()}


def page(found: Mapping[str, Any]) -> str:
    """Draw the page: self-contained HTML, wide or narrow, light or dark."""
    from jinja2 import Environment, FileSystemLoader

    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True)
    return environment.get_template("conversations.html.j2").render(**found)


def markdown(found: Mapping[str, Any]) -> str:
    """The same as Markdown, without what else was generated."""
    return "".join(_lines(found))


def _lines(found: Mapping[str, Any]) -> Iterator[str]:
    yield f"# Sample conversations\n\nRelease: {found['release']}.\n"
    for topic in found["topics"]:
        yield f"\n## {topic['topic'].capitalize()}\n"
        for held in topic["held"]:
            yield f"\n### {held['title']}\n"
            for title, turns in held["talks"].items():
                yield f"\n{title}:\n\n"
                for turn in turns:
                    source = f" ({turn['source']})" if turn["source"] else ""
                    text = turn["text"].replace("\n", " / ") or "(nothing)"
                    yield f"- {'**' + text + '**' if turn['speaker'] == 'bot' else text}{source}\n"


def report(figures: Mapping[str, Any]) -> str:
    """Who answered."""
    from benchmarks.report import table

    parts = sorted({part for of in figures["shares"].values() for part in of})
    rows = [[title, *(f"{of.get(part, 0):.0%}" for part in parts)] for title, of in figures["shares"].items()]
    count = sum(len(topic["held"]) for topic in figures["topics"])
    about = f"{count} conversations on {len(figures['topics'])} topics, in `conversations.html` beside the figures."
    return f"{about}\n\n{table(['answers by', *parts], rows)}"


PART = Part("conversations", "Sample conversations", measure, report, __doc__ or "")
