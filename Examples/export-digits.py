#!/usr/bin/env python3
"""What the tutorial starts from: a small PyTorch network that has seen few digits, exported, and digits to go on with.

    Examples/export-digits.py FOLDER

Writes digits.onnx and digits.safetensors, with `images` [N, 1, 8, 8] and `labels` [N]. Needs torch, onnx, numpy and
safetensors; Tests/Fixtures/tutorial was written with PyTorch 2.15.0.
"""
import pathlib
import sys

import numpy
import torch
from safetensors.torch import save_file
from torch import nn

DIGITS = pathlib.Path(__file__).resolve().parent.parent / "Sources" / "CDigits" / "digits"


def read(name, header):
    """The elements of an IDX file, behind its header of so many numbers."""
    return numpy.frombuffer((DIGITS / name).read_bytes(), numpy.uint8, offset=4 * header)


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    images = torch.tensor(read("train-images-idx3-ubyte", 4)).reshape(-1, 1, 8, 8).float() / 255
    labels = torch.tensor(read("train-labels-idx1-ubyte", 2)).int()

    model = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.Dropout(0.1), nn.Flatten(), nn.Linear(16 * 4 * 4, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    for _ in range(8):
        loss = nn.functional.cross_entropy(model(images[:128]), labels[:128].long())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    # PRESERVE keeps normalizations nodes of their own, which training needs, instead of folding them into convolutions.
    torch.onnx.export(
        model.eval(), (images[:1],), folder / "digits.onnx", dynamo=False, opset_version=17,
        training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False, input_names=["images"],
        output_names=["logits"], dynamic_axes={"images": {0: "batch"}, "logits": {0: "batch"}})
    save_file({"images": images[128:384].contiguous(), "labels": labels[128:384].contiguous()},
              folder / "digits.safetensors")


if len(sys.argv) != 2:
    sys.exit(__doc__)
main(pathlib.Path(sys.argv[1]))
