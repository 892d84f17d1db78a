#!/usr/bin/env python3
"""Checks what `engine-bench export NETWORK DIR` wrote: the model by onnx's checker, its outputs by ONNX Runtime,
within 1e-4 of the largest.

    Scripts/check-onnx-export.py DIR...
"""

import pathlib
import sys

import numpy
import onnx
import onnxruntime
from onnx import numpy_helper


def tensor(path):
    return numpy_helper.to_array(onnx.load_tensor(str(path)))


def check(folder):
    path = folder / "model.onnx"
    onnx.checker.check_model(onnx.load(str(path)), full_check=True)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    data = folder / "test_data_set_0"
    inputs = {x.name: tensor(data / f"input_{i}.pb") for i, x in enumerate(session.get_inputs())}
    for index, found in enumerate(session.run(None, inputs)):
        expected = tensor(data / f"output_{index}.pb")
        error = numpy.abs(found - expected).max() / numpy.abs(expected).max()
        print(f"{folder.name}: {error:.1e} of the largest output")
        if not error <= 1e-4:
            sys.exit(1)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    for name in sys.argv[1:]:
        check(pathlib.Path(name))
