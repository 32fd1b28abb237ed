"""The policy's pass by ONNX Runtime: the same numbers in a third of the time on one thread.

`forward.onnx` is a graph of the default architecture without weights. They come from the network, so that one
file serves every policy of that architecture. `python -m vla_low_level.vla.fast` writes it anew; that takes
the extra `export`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor

from vla_low_level.action import ACTION_DIM
from vla_low_level.state import STATE_DIM
from vla_low_level.vla.config import TEXT_DIM, VLAConfig
from vla_low_level.vla.forward import Drawn, Forward
from vla_low_level.vla.network import Inputs, VLANetwork
from vla_low_level.vla.pointing import Pointed, nowhere

GRAPH = Path(__file__).parent / "forward.onnx"
# Chunks drawn from one observation: the first is carried out, all of them say how sure it is.
DRAWS = 4
# What changes no operation: statistics are weights to the graph, and words are compared outside of it.
FREE = {
    "known_sentences",
    "least_known",
    "scale_text",
    "state_mean",
    "state_std",
    "action_mean",
    "action_std",
}
OUTSIDE = "network.text_known"
CAMERA_DIM = 16
FLOAT = 1


def fits(config: VLAConfig) -> bool:
    """Whether the graph is of this architecture."""
    return config.model_dump(exclude=FREE) == VLAConfig().model_dump(exclude=FREE)


class Fast:
    """A network's pass for one robot at a time, with the weights that it has now."""

    def __init__(self, network: VLANetwork) -> None:
        """Prepare it; the network must be one that the graph `fits`."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Kept: the session reads them where they are.
        self._weights = _weights(Forward(network))
        shared = onnxruntime.OrtValue.ortvalue_from_numpy_with_onnx_type
        values = [shared(value, FLOAT) for value in self._weights.values()]
        options.add_external_initializers(list(self._weights), values)
        self._session = onnxruntime.InferenceSession(
            GRAPH.read_bytes(), options, providers=["CPUExecutionProvider"]
        )
        self._names = [given.name for given in self._session.get_inputs()]

    def __call__(self, given: Inputs, noise: Tensor, remembered: Tensor, pointed: Pointed) -> Drawn:
        """As `Forward`, for a batch of one."""
        told = (value.contiguous().numpy() for value in (*given, noise, remembered, *pointed))
        feed = dict(zip(self._names, told, strict=True))
        return Drawn(*(torch.from_numpy(value) for value in self._session.run(None, feed)))


def _weights(forward: Forward) -> dict[str, NDArray[np.float32]]:
    """Parameters and statistics, by the names that they have in the graph."""
    named = [*forward.named_parameters(), *forward.named_buffers()]
    return {name: np.array(value.detach().numpy(), order="C") for name, value in named if name != OUTSIDE}


def write_graph(path: Path) -> None:
    """Export the default architecture, without weights. The same versions give the same bytes."""
    import onnx
    import onnxscript

    config = VLAConfig()
    forward = Forward(VLANetwork(config).eval())
    given = Inputs(
        torch.rand(1, 3, *config.table_px),
        torch.rand(1, 3, *config.wrist_px),
        torch.zeros(1, STATE_DIM),
        torch.zeros(1, TEXT_DIM),
        torch.ones(1, CAMERA_DIM),
        torch.zeros(1, dtype=torch.int64),
    )
    noise = torch.zeros(1, DRAWS, config.horizon, ACTION_DIM)
    example = (given, noise, torch.zeros(1, *config.heat_cells), nowhere(1))
    program = torch.onnx.export(forward, example, dynamo=True, optimize=False, verbose=False)
    assert program is not None
    model: Any = program.model_proto
    # The optimiser would take weights for constants and work out what follows from them: they are hidden
    # from it among the inputs.
    names, graph = _weights(forward), model.graph
    weights = [tensor for tensor in graph.initializer if tensor.name in names]
    for tensor in weights:
        graph.initializer.remove(tensor)
        graph.input.append(onnx.helper.make_tensor_value_info(tensor.name, FLOAT, tensor.dims))
    model = onnxscript.optimizer.optimize(model)
    graph = model.graph
    for given_too in [value for value in graph.input if value.name in names]:
        graph.input.remove(given_too)
    for tensor in weights:
        _outside(tensor, onnx.TensorProto.EXTERNAL)
        graph.initializer.append(tensor)
    for node in model.graph.node:
        node.ClearField("metadata_props")
        node.ClearField("doc_string")
    model.graph.ClearField("value_info")
    model.graph.ClearField("metadata_props")
    path.write_bytes(model.SerializeToString(deterministic=True))


def _outside(tensor: Any, location: int) -> None:
    """Let a weight's numbers be told when the graph is loaded."""
    tensor.ClearField("raw_data")
    tensor.data_location = location
    size = 4 * int(np.prod(tuple(tensor.dims)))
    for key, value in (("location", "network"), ("offset", "0"), ("length", str(size))):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value


if __name__ == "__main__":
    write_graph(GRAPH)
    sys.stdout.write(f"written to {GRAPH}\n")
