"""Parts: what a release is made of. One entry a kind, plain data that is read before anything is proved.

Everything that travels, proves, opens, measures or shows a release loops over `PARTS`; a part joins with its entry
here, its file beside it and the stage that builds it. Kinds come from this list alone, never from an environment
variable, an entry point or a bundle. Importing this module imports none of the parts' own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

#: A part's kind as manifests, releases, folders and registered models write it: the name of its bundle.
Kind = str


@dataclass(frozen=True, slots=True)
class Part:
    """One kind of part.

    Attributes:
        name: what people call it.
        bundle: what manifests, releases, folders and registered models call it.
        files: pattern of the names of its files; a bundle holds no others.
        facts: keys that its manifest must have to be read; see docs/bundle-format.md.
        ties: bundles of the same release that it was made with. Everything is tied to the vectorizer by its id; of
            any other the manifest's fact `ties` holds the digest. One that is not `required` may be absent, but
            from the release and from the fact alike.
        module: opens, probes and measures it (`rejoinder.parts.opening.PartModule`); imported only after proof.
        purpose: one sentence for the bill of materials.
        required: whether every release has it; a release made before an optional part joined simply lacks it.
        judged: whether a build makes it and the gate judges it; what is not only takes away what may be said.
    """

    name: str
    bundle: Kind
    files: str
    facts: tuple[str, ...]
    ties: tuple[Kind, ...]
    module: str
    purpose: str
    required: bool = False
    judged: bool = True


PARTS: tuple[Part, ...] = (
    Part(
        name="vectorizer",
        bundle="model",
        files=r"model\.[a-z0-9]+\.onnx|tokenizer\.json|probes\.(json|([a-z0-9]+\.){0,2}npy)",
        facts=("vectorizer",),
        ties=(),
        module="rejoinder.parts.vectorizer",
        purpose="Turns a text into a vector: ONNX forms and tokenizer, with probes that prove it",
        required=True,
    ),
    Part(
        name="phrases",
        bundle="cache",
        files=r"(keys|vectors)\.npy|phrases\.txt",
        facts=("phrases",),
        ties=("model",),
        module="rejoinder.parts.phrases",
        purpose="Vectors of common phrases, made by the model",
        required=True,
    ),
    Part(
        name="heads",
        bundle="heads",
        files=r"(context|reply)\.onnx|(turns|contexts|replies)\.npy",
        facts=("turns", "turn_dim", "dim"),
        ties=("model",),
        module="rejoinder.parts.heads",
        purpose="Turns vectors of turns into those of a context and of a reply: two small ONNX models, with probes",
    ),
    Part(
        name="replies",
        bundle="index",
        files=r"shard-[0-9]{3,}\.faiss|replies\.jsonl|(keys|turns)\.npy",
        facts=("shard_rows", "context_turns", "candidates"),
        ties=("model", "heads"),
        module="rejoinder.parts.replies",
        purpose="Replies, each said by several people, and the vectors they are found by, made by the model",
        required=True,
    ),
    Part(
        name="remarks",
        bundle="remarks",
        files=r"themes\.jsonl|(examples|replies|keys|turns|network)\.npy",
        facts=("min_fit", "min_score"),
        ties=("model", "heads"),
        module="rejoinder.parts.remarks",
        purpose="Replies written for the character by the project (Apache-2.0), and the turns that call for them",
    ),
    Part(
        name="guard",
        bundle="guard",
        files=r"care\.json|(sensitive|offensive)(-network|-examples|-probabilities)?\.npy",
        facts=("locale", "care_turns", "min_sensitive", "min_caution", "min_offensive"),
        ties=("model",),
        module="rejoinder.parts.guard",
        purpose="Which turns are sensitive, the care that answers them, and what must not be said to anybody",
    ),
    Part(
        name="intents",
        bundle="intents",
        files=r"entries\.jsonl|router(-examples|-probabilities)?\.npy",
        facts=("min_probability", "time_zone"),
        ties=("model",),
        module="rejoinder.parts.intents",
        purpose="The character's own answers and dated promotions (Apache-2.0), and the phrases that call for them",
    ),
    Part(
        name="annotators",
        bundle="annotators",
        files=r"annotators\.onnx|(turns|probabilities)\.npy",
        facts=("heads",),
        ties=("model",),
        module="rejoinder.parts.annotators",
        purpose="Small heads on the vector of a turn: sentiment, emotion, topic and others, each with its labels",
    ),
    Part(
        name="ranker",
        bundle="ranker",
        files=r"ranker\.onnx|(words|scores)\.npy",
        facts=(
            *("context_tokens", "reply_tokens", "layers", "attention_heads", "width"),
            *("candidates", "outputs", "weights", "min_rank", "over_themes", "sure_fit"),
        ),
        ties=("model", "heads"),
        module="rejoinder.parts.ranker",
        purpose="Reads context and replies token by token and orders what was retrieved, beside what the heads say",
    ),
    Part(
        name="generator",
        bundle="generator",
        files=r"generator\.[a-z0-9]+\.onnx|tokenizer\.json|(embeddings|scales|choices|spans|turns)\.npy|probes\.[a-z0-9]+\.npy",
        facts=(
            "template",
            "window",
            "layers",
            "kv_heads",
            "head_dim",
            "width",
            "sampling",
            "when",
            "below",
            "executions",
        ),
        ties=(),
        module="rejoinder.parts.generator",
        purpose="Language model that says what nobody has prepared: its own words and tokenizer, with probes",
    ),
    Part(
        name="deny",
        bundle="deny",
        files=r"deny\.json",
        facts=("replies", "themes"),
        ties=(),
        module="rejoinder.parts.deny",
        purpose="What the operator has forbidden to say",
        judged=False,
    ),
)
VECTORIZER, PHRASES, HEADS, REPLIES, REMARKS, GUARD, INTENTS, ANNOTATORS, RANKER, GENERATOR, DENY = PARTS[:11]


def kinds() -> tuple[Kind, ...]:
    """Every kind of bundle that this version knows, in the order in which they are opened."""
    return tuple(part.bundle for part in PARTS)


def required_kinds() -> tuple[Kind, ...]:
    """The kinds that every release has."""
    return tuple(part.bundle for part in PARTS if part.required)


def in_order(given: Iterable[Kind]) -> list[Part]:
    """The parts of some known kinds, in the order in which they are opened."""
    wanted = set(given)
    return [part for part in PARTS if part.bundle in wanted]


def part_of(kind: Kind) -> Part:
    """The part whose bundles are of a known kind."""
    return next(part for part in PARTS if part.bundle == kind)


def kinds_problem(given: Iterable[object]) -> str:
    """What is wrong with a set of kinds that is to be one release; empty if nothing is."""
    found = set(given)
    if missing := [kind for kind in required_kinds() if kind not in found]:
        return f"no {', '.join(missing)}"
    if strange := found - set(kinds()):
        return f"{len(strange)} of a kind that this version does not know"
    return ""
