"""Writes files with the safetensors package and PyTorch: the folder safetensors, next to this script.

    python3 make-safetensors-fixtures.py

FormatTests and NetworkTests read them. They were written with safetensors 0.8.0 and PyTorch 2.15.0.
"""

import pathlib
import struct

import numpy
import safetensors.numpy
import safetensors.torch
import torch
from torch import nn

FOLDER = pathlib.Path(__file__).parent / "safetensors"
FOLDER.mkdir(exist_ok=True)

# Types that Tessera has too, by one formula each; more than one shape, names out of order and outside ASCII.
plain = {
    "z.float32": numpy.arange(6, dtype=numpy.float32).reshape(2, 3) / 4 - 1,
    "a.float64": numpy.arange(3, dtype=numpy.float64) / 3,
    "m.int32": numpy.arange(5, dtype=numpy.int32) * -7,
    "m.int64": numpy.array(1 << 40, dtype=numpy.int64),
    "b.uint8": numpy.arange(7, dtype=numpy.uint8) * 36,
    "c.bool": numpy.array([True, False, True]),
    "empty": numpy.zeros((3, 0, 2), dtype=numpy.float32),
    "quote\"back\\slash\ttab \u00e4\u6f22": numpy.ones((1, 1), dtype=numpy.float32),
}
safetensors.numpy.save_file(plain, FOLDER / "plain.safetensors", metadata={"line\nend": "\u2028 \"text\""})

# Types that are converted. The numbers are all kinds of float16 and their like: signed zeros, subnormal, the largest.
halves = [0x0000, 0x8000, 0x0001, 0x83FF, 0x0400, 0x3C00, 0xBC01, 0x3555, 0x7BFF, 0xFBFF, 0x7C00, 0xFC00, 0x7E00]
bfloats = [0x0000, 0x8000, 0x0001, 0x807F, 0x0080, 0x3F80, 0xBF81, 0x3EAB, 0x7F7F, 0xFF7F, 0x7F80, 0xFF80, 0x7FC0]
converted = {
    "half": torch.tensor(numpy.array(halves, dtype=numpy.uint16).view(numpy.float16)),
    "bfloat": torch.tensor(numpy.array(bfloats, dtype=numpy.uint16).view(numpy.int16)).view(torch.bfloat16),
    "double": torch.tensor([0.1, -1e300, 1e-320, 3.0], dtype=torch.float64),
}
for name in list(converted):
    converted[name + ".as_float32"] = converted[name].float()
converted["int16"] = torch.tensor([1, -2], dtype=torch.int16)
safetensors.torch.save_file(converted, FOLDER / "converted.safetensors")

# A network's weights as PyTorch has them, with what it makes of an image.
torch.manual_seed(0)
network = nn.Sequential(
    nn.Conv2d(2, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 6, 3, groups=3, bias=False),
    nn.ConvTranspose2d(6, 4, 2, 2), nn.Flatten(), nn.Linear(4 * 8 * 12, 5))
x = torch.randn(3, 2, 6, 8)
network(x)
with torch.no_grad():
    y = network.eval()(x).softmax(1)
state = network.state_dict()
safetensors.torch.save_file(state, FOLDER / "network.safetensors")
safetensors.torch.save_file({"input": x.permute(0, 2, 3, 1).contiguous(), "output": y}, FOLDER / "network-run.safetensors")
