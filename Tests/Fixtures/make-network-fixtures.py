"""Writes what torchvision's networks compute as JSON: torchvision.json, next to this script.

    python3 make-network-fixtures.py

Networks are torchvision's own, with all widths divided by a number, and a U-Net. Parameters, images and labels come from the
formulas below and are numbers that float32 can hold; everything is computed in float64 from them. Of each gradient and
statistic the file has the norm and the projection on a vector that is given by a formula, too. NetworkTests reads the file. It
was written with PyTorch 2.15.0 and torchvision 0.29.2; another version may differ in the last digits.
"""

import json
import math
import pathlib

import numpy
import torch
import torch.nn.functional as F
import torchvision.models as zoo
from torch import nn

torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)
CLASSES = 7


def uniform(count, stream):
    """Numbers in [-1, 1) of 24 bits: the mixed counter (the finalizer of MurmurHash3)."""
    mask = numpy.uint64(0xFFFF_FFFF)

    def times(x, factor):
        return x * numpy.uint64(factor) & mask

    x = times(numpy.arange(count, dtype=numpy.uint64), 0x9E37_79B9) + numpy.uint64(stream * 0x85EB_CA6B + 1) & mask
    x ^= x >> numpy.uint64(16)
    x = times(x, 0x85EB_CA6B)
    x ^= x >> numpy.uint64(13)
    x = times(x, 0xC2B2_AE35)
    x ^= x >> numpy.uint64(16)
    return (x >> numpy.uint64(8)).astype(numpy.float64) / 2**23 - 1


def value(name, shape, stream):
    u = uniform(math.prod(shape), stream)
    if len(shape) > 1:
        u = math.sqrt(6 / math.prod(shape[1:])) * u
    elif name.endswith("running_var"):
        u = 1 + 0.5 * u
    elif name.endswith("weight"):
        u = 1 + 0.3 * u
    else:
        u = 0.1 * u
    return torch.tensor(u.astype(numpy.float32).astype(numpy.float64)).reshape(shape)


def narrow(model, divisor):
    """Every width but those of the image and of the classes divided."""
    def part(width):
        return width if width in (3, CLASSES) else width // divisor

    for name, child in list(model.named_children()):
        if isinstance(child, nn.Conv2d):
            new = nn.Conv2d(part(child.in_channels), part(child.out_channels), child.kernel_size, child.stride,
                            child.padding, child.dilation, 1 if child.groups == 1 else part(child.groups),
                            child.bias is not None)
        elif isinstance(child, nn.Linear):
            new = nn.Linear(part(child.in_features), part(child.out_features))
        elif isinstance(child, nn.BatchNorm2d):
            new = nn.BatchNorm2d(part(child.num_features), child.eps, child.momentum)
        elif isinstance(child, nn.Dropout):
            # Masks aren't PyTorch's.
            new = nn.Identity()
        else:
            new = narrow(child, divisor)
        setattr(model, name, new)
    return model


class UNet(nn.Module):
    """Three levels of width, 2 width and 4 width channels."""

    class Level(nn.Module):
        def __init__(self, channels, width, below):
            super().__init__()
            self.encode = self.convolutions(channels, width)
            if below:
                self.inner = UNet.Level(width, 2 * width, below - 1)
                self.inner.up = nn.ConvTranspose2d(2 * width, width, 2, 2)
                self.decode = self.convolutions(2 * width, width)

        @staticmethod
        def convolutions(channels, width):
            return nn.ModuleList([nn.Conv2d(channels, width, 3, padding=1), nn.Conv2d(width, width, 3, padding=1)])

        def forward(self, x):
            for convolution in self.encode:
                x = torch.relu(convolution(x))
            if hasattr(self, "inner"):
                x = torch.cat([x, self.inner.up(self.inner(F.max_pool2d(x, 2)))], 1)
                for convolution in self.decode:
                    x = torch.relu(convolution(x))
            return x

    def __init__(self, width):
        super().__init__()
        self.top = UNet.Level(3, width, 2)
        self.head = nn.Conv2d(width, CLASSES, 1)

    def forward(self, x):
        return self.head(self.top(x))


def projections(values, streams):
    """For each tensor its shape, norm and projection."""
    return {
        name: {"shape": list(t.shape), "norm": float(f"{t.norm().item():.12g}"),
               "projection": float(f"{t.reshape(-1).numpy() @ uniform(t.numel(), 10000 + streams[name]):.12g}")}
        for name, t in values.items()}


def fixture(name, model, size, divisor=1, batch=4):
    model = narrow(model, divisor)
    state = {key.removeprefix("top."): tensor for key, tensor in model.state_dict().items()
             if not key.endswith("num_batches_tracked")}
    streams = {key: index + 1 for index, key in enumerate(sorted(state))}
    for key, tensor in state.items():
        tensor.copy_(value(key, tensor.shape, streams[key]))
    # The formula counts images as Tessera has them: [N, H, W, C].
    x = torch.tensor(2 * uniform(batch * size * size * 3, 0)).reshape(batch, size, size, 3).permute(0, 3, 1, 2)

    with torch.no_grad():
        logits = model.eval()(x)
    # Channels last: the classes of an image, or of each of its pixels.
    rows = logits.movedim(1, -1).reshape(-1, CLASSES)
    labels = torch.tensor([(5 * i + i // 3) % CLASSES for i in range(len(rows))])
    loss = F.cross_entropy(model.train()(x).movedim(1, -1).reshape(-1, CLASSES), labels)
    loss.backward()
    gradients = {key.removeprefix("top."): p.grad for key, p in model.named_parameters()}
    statistics = {key: tensor for key, tensor in state.items() if "running" in key}
    return {
        "name": name, "divisor": divisor, "batch": batch, "size": size, "classes": CLASSES,
        "logits": [float(f"{v:.12g}") for v in rows[:16].reshape(-1).tolist()], "loss": loss.item(),
        "gradients": projections(gradients, streams), "statistics": projections(statistics, streams)}


if __name__ == "__main__":
    fixtures = [
        fixture("resnet18", zoo.resnet18(num_classes=CLASSES), 64, 8),
        fixture("resnet50", zoo.resnet50(num_classes=CLASSES), 64, 8),
        fixture("mobilenet_v2", zoo.mobilenet_v2(num_classes=CLASSES), 64, 8),
        fixture("densenet121", zoo.densenet121(num_classes=CLASSES), 64, 8, batch=5),
        fixture("squeezenet1_0", zoo.squeezenet1_0(num_classes=CLASSES), 64, 8),
        fixture("squeezenet1_1", zoo.squeezenet1_1(num_classes=CLASSES), 66, 8),
        fixture("alexnet", zoo.alexnet(num_classes=CLASSES), 224, 32, batch=2),
        fixture("vgg16", zoo.vgg16(num_classes=CLASSES), 224, 32, batch=2),
        fixture("unet", UNet(4), 16),
    ]
    lines = ",\n".join(json.dumps(case, separators=(",", ":"), allow_nan=False) for case in fixtures)
    (pathlib.Path(__file__).parent / "torchvision.json").write_text("[\n" + lines + "\n]\n")
