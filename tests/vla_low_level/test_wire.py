import contextlib
import json
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from vla_low_level.wire import MAX_BODY_BYTES, Decoder, Message, WireError, encode

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)
ARRAYS = st.dictionaries(
    st.text(max_size=8),
    st.sampled_from(["uint8", "float32", "float64", "int64"]).flatmap(
        lambda dtype: nps.arrays(dtype, nps.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
    ),
    max_size=3,
)


def parse(data: bytes) -> Message | None:
    decoder = Decoder()
    decoder.feed(data)
    return decoder.next()


def frame(header: object, body: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<II", len(text), len(body)) + text + body


@given(
    kind=st.text(max_size=10), fields=st.dictionaries(st.text(max_size=8), JSON, max_size=4), arrays=ARRAYS
)
def test_what_is_sent_arrives(kind, fields, arrays):
    arrived = parse(encode(Message(kind, fields, arrays)))
    assert arrived is not None
    assert (arrived.kind, arrived.fields) == (kind, fields)
    assert set(arrived.arrays) == set(arrays)
    for name, array in arrays.items():
        assert arrived.arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(arrived.arrays[name], array)


def test_messages_survive_any_cut_of_the_stream():
    sent = [Message("a", {"k": 1}, {"x": np.arange(5, dtype=np.int64)}), Message("b", {"t": float("inf")})]
    stream, decoder, arrived = b"".join(map(encode, sent)), Decoder(), []
    for k in range(len(stream)):
        decoder.feed(stream[k : k + 1])
        while (message := decoder.next()) is not None:
            arrived.append(message.kind)
    assert arrived == ["a", "b"]


@given(st.binary(max_size=200))
def test_garbage_is_refused_or_waits_for_more(data):
    with contextlib.suppress(WireError):
        parse(data)


@given(st.binary(max_size=120), st.binary(max_size=40))
def test_garbage_in_a_good_frame_is_refused(header, body):
    with pytest.raises(WireError):
        parse(frame(header, body))


@given(JSON)
def test_json_that_is_no_header_is_refused(header):
    with pytest.raises(WireError):
        parse(frame({"kind": "x", "fields": {}, "arrays": [["a", "float32", header]], "more": 1}))
    with pytest.raises(WireError):
        parse(frame(header))


@pytest.mark.parametrize(
    ("array", "body"),
    [
        (["a", "object", [1]], b"12345678"),
        (["a", "O", [1]], b"12345678"),
        (["a", "<f4", [1]], b"1234"),
        (["a", "float32", [-1]], b"1234"),
        (["a", "float32", [True]], b"1234"),
        (["a", "float32", [1e9]], b"1234"),
        (["a", "float32", [2**40]], b"1234"),
        (["a", "float32", [2**20, 2**20]], b"1234"),
        (["a", "float32", [1, 1, 1, 1, 1]], b"1234"),
        (["a", "float32", [2]], b"1234"),
        (["a", "float32", [1]], b"12345"),
    ],
)
def test_arrays_that_lie_are_refused(array, body):
    with pytest.raises(WireError):
        parse(frame({"kind": "x", "fields": {}, "arrays": [array]}, body))


def test_sizes_are_refused_before_they_are_waited_for():
    with pytest.raises(WireError):
        parse(struct.pack("<II", 2, MAX_BODY_BYTES + 1))


def test_objects_cannot_be_sent():
    with pytest.raises(WireError):
        encode(Message("x", {}, {"a": np.array([object()])}))
    with pytest.raises(WireError):
        encode(Message("x", {"a": object()}))
