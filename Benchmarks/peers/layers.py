"""Times PyTorch's (oneDNN's) convolutions over a CSV of layers: forward, backward-data, backward-weights.

Each layer is timed in NCHW and in channels-last and the faster of the two is kept, so the figure is the best that a
PyTorch user can get in fp32. Prints one JSON record a layer and pass: {"name", "pass", "best_ms", "gflops"}.
Usage: layers.py LAYERS.csv [--threads 2] [--bf16]
"""
import argparse
import csv
import json
import time

import torch
import torch.nn.functional as F

COLUMNS = "n c h w k r s stride pad dil groups".split()


def best_seconds(call, repeats=5, minimum=0.1):
    call()
    best = float("inf")
    for _ in range(repeats):
        count, start = 0, time.perf_counter()
        while time.perf_counter() - start < minimum:
            call()
            count += 1
        best = min(best, (time.perf_counter() - start) / count)
    return best


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("layers")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--bf16", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    dtype = torch.bfloat16 if args.bf16 else torch.float32
    for row in csv.DictReader(open(args.layers)):
        n, c, h, w, k, r, s, stride, pad, dil, groups = (int(row[column]) for column in COLUMNS)
        best = {}
        for fmt in (torch.contiguous_format, torch.channels_last):
            x = torch.randn(n, c, h, w, dtype=dtype).to(memory_format=fmt)
            weight = torch.randn(k, c // groups, r, s, dtype=dtype).to(memory_format=fmt)
            bias = torch.randn(k, dtype=dtype)
            with torch.no_grad():
                y = F.conv2d(x, weight, bias, stride, pad, dil, groups)
                dy = torch.randn_like(y)

                def backward(mask):
                    return torch.ops.aten.convolution_backward(
                        dy, x, weight, [k], [stride] * 2, [pad] * 2, [dil] * 2, False, [0, 0], groups, mask)

                passes = {
                    "forward": lambda: F.conv2d(x, weight, bias, stride, pad, dil, groups),
                    "backward-data": lambda: backward([True, False, False]),
                    "backward-weights": lambda: backward([False, True, True]),
                }
                for name, call in passes.items():
                    best[name] = min(best.get(name, float("inf")), best_seconds(call))
        flops = 2.0 * n * k * y.shape[2] * y.shape[3] * (c // groups) * r * s
        for name, seconds in best.items():
            record = {"name": row["name"], "pass": name, "best_ms": seconds * 1e3, "gflops": flops / seconds / 1e9}
            print(json.dumps(record), flush=True)


main()
