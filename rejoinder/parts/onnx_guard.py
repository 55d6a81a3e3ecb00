"""Guard before ONNX Runtime: refuses a model whose tensors lie in another file, without parsing their values.

ONNX Runtime opens whatever file a tensor names (a hard link to anything on the disk, a file in the working
directory) and nothing in the graph shows it; no digest covers that file. This walk over the protobuf looks at field
numbers and lengths only and jumps over the values, so it touches a few pages of a mapped file however large it is.
It is stricter than a parser: what it does not understand, it refuses.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from rejoinder.errors import FormatError, Problem

#: Which fields of which ONNX message lead to a tensor; everything else is jumped over.
LEADS: Mapping[str, Mapping[int, str]] = {
    "ModelProto": {7: "GraphProto", 20: "TrainingInfoProto", 25: "FunctionProto"},
    "TrainingInfoProto": {1: "GraphProto", 2: "GraphProto"},
    "FunctionProto": {7: "NodeProto", 11: "AttributeProto"},
    "GraphProto": {1: "NodeProto", 5: "TensorProto", 15: "SparseTensorProto"},
    "NodeProto": {5: "AttributeProto"},
    "AttributeProto": {
        5: "TensorProto",
        6: "GraphProto",
        10: "TensorProto",
        11: "GraphProto",
        22: "SparseTensorProto",
        23: "SparseTensorProto",
    },
    "SparseTensorProto": {1: "TensorProto", 2: "TensorProto"},
    "TensorProto": {},
}
_NAME, _EXTERNAL_DATA, _DATA_LOCATION = 8, 13, 14  # fields of a TensorProto
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # protobuf's wire types; groups (3, 4) are refused
_FIXED = {_FIXED64: 8, _FIXED32: 4}
_MAX_FIELDS = 1_000_000  # a transformer has a few thousand; bounds the time that a hostile file can take
_MAX_TAG = 1 << 32
_SHOWN = 16  # problems listed; a model that was exported with external data has hundreds
_SHOWN_BYTES = 40  # of a tensor's name


class _MalformedError(Exception):
    """Bytes that are no protobuf of ONNX; `args` are the offset and what was found."""


@dataclass(slots=True)
class _Message:
    """A message that is being walked through.

    Attributes:
        kind: a key of `LEADS`.
        end: offset after its last byte.
        name: of a tensor, as far as seen.
        external: whether its values are said to lie elsewhere.
    """

    kind: str
    end: int
    name: str = ""
    external: bool = False


@dataclass(slots=True)
class _Field:
    """One field of a message.

    Attributes:
        position: offset of its tag.
        number: its number.
        wire: its wire type.
        value: the number that it holds, if it is one.
        start: offset of the bytes that it holds, if it holds bytes.
        end: offset after the field.
    """

    position: int
    number: int
    wire: int
    value: int
    start: int
    end: int

    def must_be(self, wire: int) -> None:
        """Refuse a known field of another type: a parser would not read it as what it is known for."""
        if self.wire != wire:
            raise _MalformedError(self.position, f"a known field of wire type {self.wire}, not {wire}")


def check_onnx(path: Path) -> None:
    """Refuse an ONNX file that is not whole in itself.

    Args:
        path: a model file, its digest already compared; mapped, not read.

    Raises:
        FormatError: if a tensor's values lie outside the file, or the bytes are no ONNX model.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            problems = onnx_problems(data)
    except ValueError:  # an empty file cannot be mapped
        problems = [Problem("size", "an ONNX model", "an empty file")]
    if problems:
        raise FormatError(str(path), problems)


def onnx_problems(data: bytes | mmap.mmap) -> list[Problem]:
    """Find the tensors of a serialised ONNX model whose values lie outside it.

    Args:
        data: a serialised ModelProto.

    Returns:
        A problem for each such tensor (the first of them, then a count), and one if the bytes are no ONNX model.
    """
    found: list[Problem] = []
    more = 0
    try:
        for name in _external_tensors(data):
            if len(found) < _SHOWN:
                found.append(Problem(f"tensor {name!r}", "values inside the file", "values in another file"))
            else:
                more += 1
    except _MalformedError as error:
        found.append(Problem(f"byte {error.args[0]}", "an ONNX model (protobuf)", str(error.args[1])))
    if more:
        found.append(Problem("other tensors", "values inside the file", f"{more} more with values in another file"))
    return found


def _external_tensors(data: bytes | mmap.mmap) -> Iterator[str]:
    """Walk through all messages in one pass; a stack instead of recursion, so that depth costs nothing."""
    stack = [_Message("ModelProto", len(data))]
    position = 0
    for _ in range(_MAX_FIELDS):
        while stack and position == stack[-1].end:
            if (done := stack.pop()).external:
                yield done.name
        if not stack:
            return
        position = _step(data, position, stack)
    raise _MalformedError(position, f"more than {_MAX_FIELDS} fields")


def _step(data: bytes | mmap.mmap, position: int, stack: list[_Message]) -> int:
    """Read one field; go into it if it leads to a tensor, else jump over it."""
    message = stack[-1]
    field = _field(data, position, message.end)
    kind = LEADS[message.kind].get(field.number)
    if kind is not None:
        field.must_be(_BYTES)
        stack.append(_Message(kind, field.end))
        return field.start
    if message.kind == "TensorProto":
        _look(data, message, field)
    return field.end


def _look(data: bytes | mmap.mmap, tensor: _Message, field: _Field) -> None:
    """Note what a tensor's field says about where its values are."""
    if field.number == _EXTERNAL_DATA:
        field.must_be(_BYTES)
        tensor.external = True
    elif field.number == _DATA_LOCATION:
        field.must_be(_VARINT)
        # A parser takes the last of several and cuts it to 32 bits; no value but 0 is needed, so none is let by.
        tensor.external |= field.value != 0
    elif field.number == _NAME and field.wire == _BYTES:
        tensor.name = data[field.start : min(field.end, field.start + _SHOWN_BYTES)].decode(errors="replace")


def _field(data: bytes | mmap.mmap, position: int, end: int) -> _Field:
    """Read a field's tag and find out where its bytes begin and end."""
    tag, start = _varint(data, position, end)
    number, wire, value = tag >> 3, tag & 7, 0
    if tag >= _MAX_TAG or number == 0:
        raise _MalformedError(position, "a field number out of range")
    if wire == _VARINT:
        value, start = _varint(data, start, end)
        length = 0
    elif wire == _BYTES:
        length, start = _varint(data, start, end)
    elif wire in _FIXED:
        length = _FIXED[wire]
    else:
        raise _MalformedError(position, f"a field of wire type {wire}")
    if length > end - start:
        raise _MalformedError(position, "a field that is longer than what holds it")
    return _Field(position, number, wire, value, start, start + length)


def _varint(data: bytes | mmap.mmap, position: int, end: int) -> tuple[int, int]:
    """A number of at most ten bytes, and the offset after it."""
    if position < end and data[position] < 0x80:  # nearly all of them, and there are ten thousands
        return data[position], position + 1
    value = 0
    for shift in range(0, 70, 7):
        if position >= end:
            raise _MalformedError(position, "an end in the middle of a field")
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise _MalformedError(position, "a number of more than ten bytes")
