"""Writes the losses of ten training steps as JSON: training-steps.json, next to this script.

    python3 make-training-fixtures.py

Networks are those of make-network-fixtures.py and the two small ones of the catalogue, without dropout; parameters, images and
labels come from the same formulas, another batch in each step, with the last layer's weights made smaller: random residual networks of
so few channels are chaotic otherwise, and PyTorch's own losses in float32 leave those in float64 by more than a thousandth. SGD with learning rate 0.001 and momentum 0.9, in float64. It was
written with PyTorch 2.15.0 and torchvision 0.29.2.
"""

import importlib.util
import json
import pathlib
import sys

import torch
import torch.nn.functional as F
import torchvision.models as zoo
from torch import nn

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).parent
spec = importlib.util.spec_from_file_location("networks", HERE / "make-network-fixtures.py")
networks = importlib.util.module_from_spec(spec)
spec.loader.exec_module(networks)
STEPS, CLASSES = 10, networks.CLASSES


class MnistCNN(nn.Module):
    """By Tessera's names."""

    def __init__(self):
        super().__init__()
        self.conv2d, self.conv2d_1 = nn.Conv2d(1, 64, 3), nn.Conv2d(64, 32, 3)
        self.dense = nn.Linear(32 * 5 * 5, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv2d(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2d_1(x)), 2)
        return self.dense(x.flatten(1))


class CifarVGG(nn.Module):
    def __init__(self):
        super().__init__()
        channels = [3, 64, 64, 128, 128, 256, 256]
        for i in range(6):
            setattr(self, f"conv2d_{i}" if i else "conv2d", nn.Conv2d(channels[i], channels[i + 1], 3, padding=1))
        self.dense, self.dense_1 = nn.Linear(256 * 4 * 4, 256), nn.Linear(256, 10)

    def forward(self, x):
        for i in range(6):
            x = F.relu(getattr(self, f"conv2d_{i}" if i else "conv2d")(x))
            if i % 2:
                x = F.max_pool2d(x, 2)
        return self.dense_1(F.relu(self.dense(x.flatten(1))))


def fixture(name, model, shape, divisor=1, batch=4, classes=CLASSES, head=1.0):
    model = networks.narrow(model, divisor) if divisor > 1 else model
    state = {key.removeprefix("top."): tensor for key, tensor in model.state_dict().items()
             if not key.endswith("num_batches_tracked")}
    for index, key in enumerate(sorted(state)):
        value = networks.value(key, state[key].shape, index + 1)
        state[key].copy_(head * value if value.dim() == 2 else value)
    optimizer = torch.optim.SGD(model.train().parameters(), lr=0.001, momentum=0.9)
    losses = []
    for step in range(STEPS):
        height, width, channels = shape
        count = batch * height * width * channels
        x = torch.tensor(2 * networks.uniform(count, 20000 + step)).reshape(batch, *shape).permute(0, 3, 1, 2)
        rows = model(x).movedim(1, -1).reshape(-1, classes)
        labels = torch.tensor([(5 * i + i // 3 + step) % classes for i in range(len(rows))])
        loss = F.cross_entropy(rows, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return {"name": name, "divisor": divisor, "batch": batch, "shape": shape, "classes": classes, "head": head,
            "losses": losses}


fixtures = [
    fixture("mnist_cnn", MnistCNN(), [28, 28, 1], classes=10),
    fixture("cifar_vgg", CifarVGG(), [32, 32, 3], classes=10),
    fixture("resnet18", zoo.resnet18(num_classes=CLASSES), [64, 64, 3], 8, batch=8, head=1 / 16),
    fixture("mobilenet_v2", zoo.mobilenet_v2(num_classes=CLASSES), [64, 64, 3], 8, batch=8, head=1 / 256),
    fixture("densenet121", zoo.densenet121(num_classes=CLASSES), [64, 64, 3], 8, batch=8, head=1 / 16),
    fixture("squeezenet1_1", zoo.squeezenet1_1(num_classes=CLASSES), [66, 66, 3], 8),
    fixture("alexnet", zoo.alexnet(num_classes=CLASSES), [224, 224, 3], 32, batch=2),
    fixture("vgg16", zoo.vgg16(num_classes=CLASSES), [224, 224, 3], 32, batch=2),
    fixture("unet", networks.UNet(4), [16, 16, 3]),
]
lines = ",\n".join(json.dumps(case, separators=(",", ":"), allow_nan=False) for case in fixtures)
(HERE / "training-steps.json").write_text("[\n" + lines + "\n]\n")
