#!/usr/bin/env python3
"""Exports networks by PyTorch as tests that `engine-bench conformance` reads, weights and images random, outputs
those of ONNX Runtime.

    Scripts/make-onnx-models.py [--dynamo] DIR [NAME...]

--dynamo takes the exporter that is PyTorch's default since 2.9, which writes weights to a file beside the model.
"""

import importlib.util
import pathlib
import sys

import numpy
import onnxruntime
import torch
import torchvision
from onnx import numpy_helper


class UNet(torch.nn.Module):
    """Two levels: transposed convolutions up, concatenated with what came down."""

    def __init__(self, classes=3):
        super().__init__()

        def block(inputs, outputs):
            return torch.nn.Sequential(
                torch.nn.Conv2d(inputs, outputs, 3, padding=1), torch.nn.BatchNorm2d(outputs), torch.nn.ReLU(),
                torch.nn.Conv2d(outputs, outputs, 3, padding=1), torch.nn.BatchNorm2d(outputs), torch.nn.ReLU())

        self.down = torch.nn.ModuleList([block(3, 16), block(16, 32)])
        self.bottom = block(32, 64)
        self.up = torch.nn.ModuleList(
            [torch.nn.ConvTranspose2d(64, 32, 2, stride=2), torch.nn.ConvTranspose2d(32, 16, 2, stride=2)])
        self.merge = torch.nn.ModuleList([block(64, 32), block(32, 16)])
        self.head = torch.nn.Conv2d(16, classes, 1)

    def forward(self, x):
        skips = []
        for block in self.down:
            x = block(x)
            skips.append(x)
            x = torch.nn.functional.max_pool2d(x, 2)
        x = self.bottom(x)
        for up, merge in zip(self.up, self.merge):
            x = merge(torch.cat([skips.pop(), up(x)], dim=1))
        return self.head(x)


class Tiny(torch.nn.Module):
    """What exporters leave behind: shapes computed of shapes, a shuffle of channels, a gate, resizing, two heads."""

    def __init__(self):
        super().__init__()
        self.stem = torch.nn.Sequential(
            torch.nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False), torch.nn.BatchNorm2d(8), torch.nn.ReLU6())
        self.depthwise = torch.nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.gate = torch.nn.Sequential(
            torch.nn.AdaptiveAvgPool2d(1), torch.nn.Conv2d(8, 4, 1), torch.nn.SiLU(), torch.nn.Conv2d(4, 8, 1),
            torch.nn.Hardsigmoid())
        self.norm = torch.nn.GroupNorm(2, 8)
        self.head = torch.nn.Linear(8 * 4 * 4, 5)

    def forward(self, x):
        x = self.stem(x)
        n, c, h, w = x.shape
        x = x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)
        x = x + self.depthwise(x) * self.gate(x)
        x = self.norm(torch.nn.functional.gelu(x))
        half = torch.nn.functional.interpolate(x, scale_factor=0.5, mode="bilinear")
        a, b = torch.nn.functional.avg_pool2d(x, 2).chunk(2, dim=1)
        x = torch.cat([b, a], dim=1) + half
        return self.head(x.flatten(1)), x.amax(dim=(2, 3))


def bench_network(name):
    """A network that only the benchmarks have, and the shape of its images."""
    path = pathlib.Path(__file__).resolve().parent.parent / "Benchmarks" / "peers" / "networks.py"
    spec = importlib.util.spec_from_file_location("networks", path)
    networks = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(networks)
    make, shape, _ = networks.build(name)
    return make, shape


NETWORKS = {
    "mnist_cnn": bench_network("mnist_cnn"),
    "cifar_vgg": bench_network("cifar_vgg"),
    "tiny": (Tiny, 16),
    "unet": (UNet, 64),
    **{
        name: (getattr(torchvision.models, name), size)
        for name, size in {
            "resnet18": 224, "resnet50": 224, "mobilenet_v2": 224, "mobilenet_v3_small": 224, "squeezenet1_1": 224,
            "densenet121": 224, "vgg11_bn": 224, "vgg16": 224, "alexnet": 224, "shufflenet_v2_x1_0": 224,
            "efficientnet_b0": 224, "regnet_y_400mf": 224, "convnext_tiny": 224, "mnasnet1_0": 224, "googlenet": 224,
            "inception_v3": 299,
        }.items()
    },
}


def export(name, folder, dynamo):
    make, size = NETWORKS[name]
    shape = size if isinstance(size, tuple) else (3, size, size)
    torch.manual_seed(0)
    options = {"init_weights": True, "aux_logits": False} if name in ("googlenet", "inception_v3") else {}
    model = make(**options).eval()
    # Statistics that normalize, as those of a trained network do.
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.1, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    images = torch.randn(2, *shape)
    data = folder / name / "test_data_set_0"
    data.mkdir(parents=True, exist_ok=True)
    path = folder / name / "model.onnx"
    names = {"input_names": ["input"], "output_names": ["output", "maxima"] if name == "tiny" else ["output"]}
    if dynamo:
        torch.onnx.export(
            model, (images,), str(path), dynamo=True, dynamic_shapes=({0: torch.export.Dim("batch")},), **names)
    else:
        axes = {name: {0: "batch"} for kind in names.values() for name in kind}
        torch.onnx.export(model, (images,), str(path), dynamo=False, opset_version=17, dynamic_axes=axes, **names)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    outputs = session.run(None, {"input": images.numpy()})
    (data / "input_0.pb").write_bytes(numpy_helper.from_array(images.numpy(), "input").SerializeToString())
    for index, output in enumerate(outputs):
        tensor = numpy_helper.from_array(numpy.asarray(output), "output")
        (data / f"output_{index}.pb").write_bytes(tensor.SerializeToString())


if __name__ == "__main__":
    arguments = [argument for argument in sys.argv[1:] if argument != "--dynamo"]
    if not arguments:
        sys.exit(__doc__)
    for name in arguments[1:] or NETWORKS:
        export(name, pathlib.Path(arguments[0]), "--dynamo" in sys.argv)
