"""A model that is not whole in itself is refused, wherever in it the outside is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rejoinder.errors import FormatError
from rejoinder.parts.onnx_guard import LEADS, check_onnx, onnx_problems
from tests.bundles import weights, write_onnx

onnx = pytest.importorskip("onnx")


def tensor(name: str = "w") -> Any:
    """A tensor whose values are said to lie in w.bin."""
    made = onnx.numpy_helper.from_array(np.zeros(4, np.float32), name)
    onnx.external_data_helper.set_external_data(made, location="w.bin", length=16)
    made.ClearField("raw_data")
    made.data_location = onnx.TensorProto.EXTERNAL
    return made


def sparse() -> Any:
    made = onnx.SparseTensorProto()
    made.dims.append(4)
    made.values.CopyFrom(tensor("values"))
    return made


def attribute(**fields: Any) -> Any:
    """An attribute with one field set, by its name in AttributeProto."""
    made = onnx.AttributeProto(name="a")
    for field, value in fields.items():
        if isinstance(value, list):
            getattr(made, field).extend(value)
        else:
            getattr(made, field).CopyFrom(value)
    return made


def graph(**fields: Any) -> Any:
    made = onnx.GraphProto(name="g")
    for field, value in fields.items():
        getattr(made, field).extend(value)
    return made


def node(**fields: Any) -> Any:
    return onnx.NodeProto(op_type="Constant", output=["c"], attribute=[attribute(**fields)])


def inner() -> Any:
    return node(t=tensor())


def model(**fields: Any) -> bytes:
    made = onnx.ModelProto(ir_version=10)
    for field, value in fields.items():
        if isinstance(value, list):
            getattr(made, field).extend(value)
        else:
            getattr(made, field).CopyFrom(value)
    return bytes(made.SerializeToString())


PLACES: dict[str, Callable[[], bytes]] = {
    "initializer": lambda: model(graph=graph(initializer=[tensor()])),
    "sparse initializer": lambda: model(graph=graph(sparse_initializer=[sparse()])),
    "attribute": lambda: model(graph=graph(node=[inner()])),
    "list of tensors": lambda: model(graph=graph(node=[node(tensors=[tensor()])])),
    "sparse attribute": lambda: model(graph=graph(node=[node(sparse_tensor=sparse())])),
    "list of sparse tensors": lambda: model(graph=graph(node=[node(sparse_tensors=[sparse()])])),
    "branch of an If": lambda: model(graph=graph(node=[node(g=graph(initializer=[tensor()]))])),
    "list of graphs": lambda: model(graph=graph(node=[node(graphs=[graph(initializer=[tensor()])])])),
    "loop in a branch": lambda: model(graph=graph(node=[node(g=graph(node=[node(g=graph(node=[inner()]))]))])),
    "function": lambda: model(functions=[onnx.FunctionProto(name="f", node=[inner()])]),
    "default in a function": lambda: model(
        functions=[onnx.FunctionProto(name="f", attribute_proto=[attribute(t=tensor())])]
    ),
    "training": lambda: model(training_info=[onnx.TrainingInfoProto(algorithm=graph(initializer=[tensor()]))]),
    "initialisation": lambda: model(training_info=[onnx.TrainingInfoProto(initialization=graph(node=[inner()]))]),
}  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A model with all its values inside."""
    path = tmp_path_factory.mktemp("whole") / "model.onnx"
    write_onnx(path, weights(0))
    return path.read_bytes()


def test_the_walk_knows_every_way_to_a_tensor() -> None:
    messages = {}
    waiting = [onnx.ModelProto.DESCRIPTOR]
    while waiting:
        message = waiting.pop()
        if message.name not in messages:
            messages[message.name] = {f.number: f.message_type for f in message.fields if f.message_type}
            waiting += messages[message.name].values()
    reach = {"TensorProto"}
    for _ in messages:
        reach |= {name for name, fields in messages.items() if reach & {m.name for m in fields.values()}}
    leads = {name: {n: m.name for n, m in messages[name].items() if m.name in reach} for name in reach}
    assert leads == LEADS


@pytest.mark.parametrize("place", PLACES)
def test_a_tensor_elsewhere_is_refused_wherever_it_hides(place: str) -> None:
    (problem,) = onnx_problems(PLACES[place]())
    assert problem.where in {"tensor 'w'", "tensor 'values'"}
    assert problem.got == "values in another file"


@pytest.mark.parametrize("size", [0, 1 << 10])
def test_what_onnx_saves_with_external_data_is_refused(whole: bytes, tmp_path: Path, size: int) -> None:
    path = tmp_path / "model.onnx"
    onnx.save(
        onnx.load_from_string(whole), path, save_as_external_data=True, location="model.bin", size_threshold=size
    )
    assert (tmp_path / "model.bin").exists()
    with pytest.raises(FormatError, match=r"model\.onnx.*\n.*tensor 'table': expected values inside the file"):
        check_onnx(path)


def test_a_whole_model_passes_and_an_empty_file_does_not(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(whole)
    check_onnx(path)
    path.write_bytes(b"")
    with pytest.raises(FormatError, match="empty file"):
        check_onnx(path)


def test_either_sign_of_external_data_is_enough() -> None:
    for field in ("external_data", "data_location"):
        half = tensor()
        half.ClearField(field)
        assert len(onnx_problems(model(graph=graph(initializer=[half])))) == 1


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param(b"\x70\x01\x70\x00", id="1, then 0"),
        pytest.param(b"\x70\x81\x80\x80\x80\x10", id="2 to the 32nd + 1, which a parser cuts to 1"),
        pytest.param(b"\x70\x02", id="a value to come"),
    ],
)
def test_no_spelling_of_a_location_gets_by(fields: bytes) -> None:
    data = field(b"\x3a", field(b"\x2a", fields))
    assert [problem.got for problem in onnx_problems(data)] == ["values in another file"]


def test_every_such_tensor_is_named_up_to_a_limit() -> None:
    problems = onnx_problems(model(graph=graph(initializer=[tensor(f"w{number}") for number in range(40)])))
    assert [problem.where for problem in problems[:2]] == ["tensor 'w0'", "tensor 'w1'"]
    assert problems[-1].got == "24 more with values in another file"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\x3b\x3c", id="a group"),
        pytest.param(b"\x38\x01", id="a graph that is a number"),
        pytest.param(b"\x3a\x04\x2a\x02\x72\x00", id="a location that is a text"),
        pytest.param(b"\x3a\x05\x2a\x01\x08", id="longer than its graph"),
        pytest.param(b"\x08" + b"\xff" * 10 + b"\x01", id="an endless number"),
        pytest.param(b"\xba\x80\x80\x80\x10\x00", id="a field number of more than 32 bits"),
        pytest.param(b"\x00\x00", id="field 0"),
        pytest.param(b"\x08", id="cut in a field"),
    ],
)
def test_what_a_parser_might_read_in_another_way_is_refused(data: bytes) -> None:
    (problem,) = onnx_problems(data)
    assert problem.expected == "an ONNX model (protobuf)"


def test_a_file_of_nothing_but_fields_is_given_up() -> None:
    (problem,) = onnx_problems(b"\x08\x00" * 1_000_001)
    assert problem.got == "more than 1000000 fields"


def test_nesting_has_no_depth_that_breaks_the_walk() -> None:
    inner = bytes(graph(initializer=[tensor()]).SerializeToString())
    for _ in range(2000):
        for tag in (b"\x32", b"\x2a", b"\x0a"):  # AttributeProto.g, NodeProto.attribute, GraphProto.node
            inner = field(tag, inner)
    (problem,) = onnx_problems(field(b"\x3a", inner))
    assert problem.where == "tensor 'w'"


def field(tag: bytes, body: bytes) -> bytes:
    """A field that holds a message or bytes."""
    length, left = b"", len(body)
    while left > 0x7F:
        length += bytes([left & 0x7F | 0x80])
        left >>= 7
    return tag + length + bytes([left]) + body


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_any_bytes_are_passed_or_refused_and_nothing_else_happens(data: bytes) -> None:
    assert all(problem.expected for problem in onnx_problems(data))


@settings(max_examples=200)
@given(st.sampled_from(sorted(PLACES)), st.data())
def test_a_damaged_model_that_a_parser_reads_as_external_is_refused(place: str, data: st.DataObject) -> None:
    damaged = bytearray(PLACES[place]())
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    if parsed_as_external(bytes(damaged)):
        assert onnx_problems(bytes(damaged))


@settings(max_examples=100)
@given(st.data())
def test_no_tensor_of_a_whole_model_is_suspected(whole: bytes, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(whole)))
    assert all(problem.expected == "an ONNX model (protobuf)" for problem in onnx_problems(whole[:cut]))


def parsed_as_external(data: bytes) -> bool:
    """What the real parser makes of the bytes."""
    try:
        parsed = onnx.load_from_string(data)
    except Exception:  # protobuf's DecodeError; its package has no types
        return False
    return any_external(parsed)


def any_external(message: Any) -> bool:
    """Whether a parsed message holds a tensor whose values lie elsewhere; looks at every field of every message."""
    if message.DESCRIPTOR.name == "TensorProto":
        return bool(message.external_data) or message.data_location == onnx.TensorProto.EXTERNAL
    for field, value in message.ListFields():
        if field.message_type:
            parts = value if not hasattr(value, "DESCRIPTOR") else [value]
            if any(any_external(part) for part in parts):
                return True
    return False
