#!/usr/bin/env python3
"""Writes the node tests of the `onnx` package as folders that `engine-bench conformance` reads:
DIR/node/test_NAME/{model.onnx, test_data_set_0/{input_I.pb, output_I.pb}}.

The package's own `generate-data` writes the model tests only; node tests are made in memory, when they are asked for.

    Scripts/onnx-node-tests.py DIR [NAME...]
"""

import pathlib
import sys

import numpy
import onnx
from onnx import numpy_helper
from onnx.backend.test.loader import load_node_model_tests


def to_bytes(value, info):
    """A value of the test as the kind of message that its declared type asks for."""
    if info.type.HasField("sequence_type"):
        message = numpy_helper.from_list(value, info.name)
    elif info.type.HasField("optional_type"):
        message = numpy_helper.from_optional(value, info.name)
    elif isinstance(value, onnx.TensorProto):
        message = value
    else:
        message = numpy_helper.from_array(numpy.asarray(value), info.name)
    return message.SerializeToString()


def main(target, names):
    # Tests draw their operands from numpy's global generator.
    numpy.random.seed(0)
    for case in load_node_model_tests():
        if names and case.name not in names:
            continue
        folder = pathlib.Path(target) / case.kind / case.name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "model.onnx").write_bytes(case.model.SerializeToString())
        for index, (inputs, outputs) in enumerate(case.data_sets):
            data = folder / f"test_data_set_{index}"
            data.mkdir(exist_ok=True)
            for kind, values, infos in (
                ("input", inputs, case.model.graph.input),
                ("output", outputs, case.model.graph.output),
            ):
                for position, (value, info) in enumerate(zip(values, infos, strict=True)):
                    (data / f"{kind}_{position}.pb").write_bytes(to_bytes(value, info))


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(sys.argv[1], set(sys.argv[2:]))
