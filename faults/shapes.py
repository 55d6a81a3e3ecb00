"""Shapes: ways to write a JSON document wrongly: keys twice, names that lead elsewhere, numbers without end.

A document is read into a tree that can hold what Python's values cannot (a key twice, a number as it is spelled),
changed at one place, and written again in the spelling it had.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any

MILLION = 1_000_000
#: Values of other types.
OTHERS: tuple[Any, ...] = (None, True, False, [], {}, "", "x", 0, -1, 1.5, ["x"], {"x": 0})
#: Numbers, as they are spelled.
NUMBERS = ("1e400", "-1e400", "NaN", "Infinity", "-0", "-0.0", "1E2", "1e308", str(2**64), "9" * 400, "9" * 5000)
#: Texts that are a way out, and texts that no encoding or terminal can hold.
WAYS_OUT = ("../x", "..", "/etc/passwd", "a/../../b", "..\\x", "C:\\x", "file:///etc/passwd")
BROKEN_TEXTS = ("\\u0000", "x\\u0000y", "\\ud800", "\\udc00x", "\\u001b[2J", "\\u202e")
#: Depths at which readers, writers and copiers of Python give up, and one that no reader takes.
DEPTHS = (
    20,
    100,
    200,
    250,
    280,
    300,
    310,
    320,
    325,
    330,
    335,
    340,
    400,
    480,
    490,
    500,
    900,
    960,
    970,
    980,
    985,
    990,
)
TOO_DEEP = 100_000


@dataclass(frozen=True)
class Object:
    """A JSON object: pairs of a key, as it is spelled, and a value."""

    pairs: tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class Raw:
    """Text that is written as it is."""

    text: str


@dataclass(frozen=True)
class Mutant:
    """A document that is wrong.

    Attributes:
        kind: what is wrong.
        data: the whole document.
    """

    kind: str
    data: bytes


def mutants(data: bytes) -> dict[str, list[Callable[[], Mutant]]]:
    """All mutants of a document, by kind; each is made when it is called for, since some are large.

    Args:
        data: a JSON document.

    Returns:
        Makers, by kind.
    """
    tree = json.loads(data, object_pairs_hook=_object)
    is_canonical = data.startswith(b"{\n  ")
    found: dict[str, list[Callable[[], Mutant]]] = {}
    for kind, make in chain(_whole(data), _inside(tree, is_canonical)):
        found.setdefault(kind, []).append(lambda kind=kind, make=make: Mutant(kind, make()))  # type: ignore[misc]
    return found


def _object(pairs: list[tuple[str, Any]]) -> Object:
    return Object(tuple((_spell(key), value) for key, value in pairs))


def _spell(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def write(value: Any, indent: bool, depth: int = 0) -> str:
    """Spell a tree, canonical (two-space indent) or on one line."""
    gap, end, comma = ("\n" + "  " * (depth + 1), "\n" + "  " * depth, ",") if indent else ("", "", ", ")
    if isinstance(value, Raw):
        return value.text
    if isinstance(value, Object):
        parts = [f"{gap}{key}: {write(part, indent, depth + 1)}" for key, part in value.pairs]
        return "{" + comma.join(parts) + end + "}" if parts else "{}"
    if isinstance(value, list):
        parts = [gap + write(part, indent, depth + 1) for part in value]
        return "[" + comma.join(parts) + end + "]" if parts else "[]"
    if isinstance(value, dict):
        return write(_object(list(value.items())), indent, depth)
    return json.dumps(value, ensure_ascii=False)


def nested(depth: int) -> Raw:
    """A list in a list in a list."""
    return Raw("[" * depth + "]" * depth)


def nested_canonical(depth: int, at: int) -> Raw:
    """The same in canonical spelling, so that it gets past the check of spellings."""
    opening = "".join("[\n" + "  " * (at + level + 1) for level in range(depth))
    closing = "".join("\n" + "  " * (at + level) + "]" for level in reversed(range(depth)))
    return Raw(opening + "[]" + closing)


def _whole(data: bytes) -> Iterator[tuple[str, Callable[[], bytes]]]:
    text = data.decode()
    simple = {
        "byte order mark": [b"\xef\xbb\xbf" + data],
        "another encoding": [text.encode(name) for name in ("utf-16", "utf-32", "utf-16-be", "utf-7")],
        "invalid UTF-8": [data.replace(b'"', b'"\xff', 1), data.replace(b'"', b'"\xed\xa0\x80', 1), data + b"\xc3"],
        "trailing data": [data + more for more in (b"{}", b"\0", b"\n\n", b" ", b"// x", b",", data)],
        "leading data": [more + data for more in (b" ", b"\n", b"\0", b"[", b"/* */")],
        "another document": [b"", b"null", b"[]", b"{}", b"0", b'""', b"true", b"[" + data + b"]"],
    }
    for kind, made in simple.items():
        yield from ((kind, lambda one=one: one) for one in made)
    for start in (b"[", b'{"a":'):
        yield "endless nesting", lambda start=start: start * TOO_DEEP  # type: ignore[misc]
    yield "a million entries", lambda: b"[" + b",".join([b"0"] * MILLION) + b"]"
    yield "a million entries", lambda: b"{" + b",".join(b'"%d":0' % n for n in range(MILLION)) + b"}"


def _inside(tree: Any, indent: bool) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Changes at every place of the tree."""
    for path, value in places(tree):
        for kind, other in _values(value, len(path), indent):
            yield kind, lambda path=path, other=other: _written(tree, path, other(), indent)  # type: ignore[misc]
        if isinstance(value, Object):
            for kind, changed in _objects(value):
                yield kind, lambda path=path, o=changed: _written(tree, path, o, indent)  # type: ignore[misc]


def _written(tree: Any, path: tuple[int, ...], other: Any, indent: bool) -> bytes:
    text = write(replaced(tree, path, other), indent)
    return text.encode("utf-8", "surrogatepass") + (b"\n" if indent else b"")


def places(tree: Any, path: tuple[int, ...] = ()) -> Iterator[tuple[tuple[int, ...], Any]]:
    """Every place of a tree: numbers of children from the root, and what is there; of a list, three items."""
    if path:
        yield path, tree
    elif isinstance(tree, Object):
        yield (), tree
    if isinstance(tree, Object):
        for number, (_, value) in enumerate(tree.pairs):
            yield from places(value, (*path, number))
    elif isinstance(tree, list):
        for number in sorted({0, len(tree) // 2, len(tree) - 1} if tree else ()):
            yield from places(tree[number], (*path, number))


def replaced(tree: Any, path: tuple[int, ...], other: Any) -> Any:
    """The tree with something else at a place."""
    if not path:
        return other
    first, *rest = path
    if isinstance(tree, Object):
        key, value = tree.pairs[first]
        changed = (key, replaced(value, tuple(rest), other))
        return Object((*tree.pairs[:first], changed, *tree.pairs[first + 1 :]))
    return [*tree[:first], replaced(tree[first], tuple(rest), other), *tree[first + 1 :]]


def _values(value: Any, depth: int, indent: bool) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Other values for one place; made late, since some are large."""
    for other in OTHERS:
        if type(other) is not type(value) or other != value:
            yield "wrong type or value", partial(_same, other)
    for number in NUMBERS:
        yield "a huge number", partial(Raw, number)
    for text in WAYS_OUT:
        yield "a way out (../)", partial(_same, text)
    for spelled in BROKEN_TEXTS:
        yield "NUL and half characters", partial(Raw, f'"{spelled}"')
    for levels in DEPTHS:
        yield "deep nesting", partial(nested_canonical, levels, depth) if indent else partial(nested, levels)
    if depth < 2:
        yield "a million entries", lambda: Raw("[" + ", ".join(["0"] * MILLION) + "]")
        yield "a million entries", lambda: Raw("{" + ", ".join(f'"{n}": 0' for n in range(MILLION)) + "}")


def _same(value: Any) -> Any:
    return value


def _objects(value: Object) -> Iterator[tuple[str, Object]]:
    """Other keys for one object."""
    pairs = value.pairs
    if len(pairs) > 1:
        yield "reordered keys", Object(pairs[::-1])
    for place, (key, part) in enumerate(pairs):
        before, after = pairs[:place], pairs[place + 1 :]
        bare = json.loads(key)
        for other in ("x", None, part):
            yield "a key twice", Object((*before, (key, other), (key, part), *after))
            yield "a key twice", Object((*before, (key, part), (key, other), *after))
        yield "a key twice", Object((*before, (key, part), (_escaped(bare), "x"), *after))
        yield "a missing key", Object((*before, *after))
        for twin in (bare.upper(), bare.capitalize(), _wide(bare), bare + "\u0301", bare + " "):
            if twin != bare:
                yield "names that differ in case or Unicode form", Object((*pairs, (_spell(twin), part)))
                yield "names that differ in case or Unicode form", Object((*before, (_spell(twin), part), *after))
        for name in WAYS_OUT:
            yield "a way out (../)", Object((*before, (_spell(name), part), *after))
        for spelled in BROKEN_TEXTS:
            yield "NUL and half characters", Object((*before, (f'"{spelled}"', part), *after))
    composed, apart = "\u00e9", "e\u0301"
    yield "names that differ in case or Unicode form", Object((*pairs, (_spell(apart), 0), (_spell(composed), 0)))
    for extra in ("zzz", "__class__", "__proto__", "$ref", ""):
        yield "an unknown key", Object((*pairs, (_spell(extra), 0)))


def _escaped(text: str) -> str:
    """The same key in another spelling."""
    return '"' + "".join(f"\\u{ord(character):04x}" for character in text) + '"'


def _wide(text: str) -> str:
    """Full-width letters, which NFKC folds to the plain ones."""
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)
