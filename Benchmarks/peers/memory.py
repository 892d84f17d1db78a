"""Measures how far the peak of PyTorch's resident memory grows over training steps, in fp32.

What counts is all that the steps need: parameters, gradients, optimizer state, activations, one batch of images, what the engine packs and caches.
The model is made after the first look at the peak, which is taken with the libraries loaded.
Prints one JSON record: {"network", "batch", "peer", "peak_growth_bytes"}.
Usage: memory.py NETWORK --batch 16 [--threads 2] [--steps 3] --peer eager|channels_last
"""
import argparse
import json

from networks import prepare


def peak_bytes():
    """The most resident memory so far: VmHWM, in KiB (proc(5))."""
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) << 10


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("network")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--peer", default="eager", choices=("eager", "channels_last"))
    args = parser.parse_args()
    make, shape, classes = prepare(parser, args)
    import torch
    import torch.nn.functional as F

    # The peak of loading libraries mustn't hide what comes now: 5 sets VmHWM back to what is resident.
    with open("/proc/self/clear_refs", "w", encoding="ascii") as clear:
        clear.write("5")
    before = peak_bytes()
    layout = torch.channels_last if args.peer == "channels_last" else torch.contiguous_format
    x = torch.randn(args.batch, *shape).contiguous(memory_format=layout)
    target = torch.randint(0, classes, (args.batch,))
    net = make().train().to(memory_format=layout)
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-4, momentum=0.9)
    for _ in range(args.steps):
        optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(net(x), target).backward()
        optimizer.step()
    print(json.dumps({
        "network": args.network, "batch": args.batch, "peer": args.peer,
        "peak_growth_bytes": peak_bytes() - before}), flush=True)


main()
