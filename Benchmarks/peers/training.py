"""Trains a network in PyTorch on one batch, and writes what another engine needs to do the same.

Networks are those of networks.py, with dropout 0 and random weights; SGD with momentum 0.9. Into the folder go
model.onnx, the network before the first step with its normalizations as they are, and data.safetensors with `images` and
`labels`. Prints one JSON record: {"network", "losses"}, the loss before each step's update.
Usage: training.py NETWORK FOLDER --batch 16 --steps 10 --learning-rate 0.001 [--threads 2] [--double]
"""
import argparse
import json
import pathlib

import networks


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("network")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--learning-rate", type=float, default=0.001)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--double", action="store_true", help="float64, from the same weights and images; writes nothing")
    args = parser.parse_args()
    make, shape, classes = networks.prepare(parser, args)
    import torch
    import torch.nn.functional as F
    from safetensors.torch import save_file

    model = make()
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    # Of parameters with equal values the exporter makes one, which would be trained as one.
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.min() == parameter.max():
                parameter.add_(0.1 * torch.randn_like(parameter))
    images, labels = torch.randn(args.batch, *shape), torch.randint(0, classes, (args.batch,))
    if args.double:
        model, images = model.double(), images.double()
    else:
        # Neither folds normalizations into convolutions nor drops them.
        torch.onnx.export(
            model.eval(), (images,), args.folder / "model.onnx", dynamo=False, opset_version=17,
            training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False, input_names=["input"],
            output_names=["output"])
        save_file({"images": images, "labels": labels.int()}, args.folder / "data.safetensors")
    optimizer = torch.optim.SGD(model.train().parameters(), lr=args.learning_rate, momentum=0.9)
    losses = []
    for _ in range(args.steps):
        loss = F.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print(json.dumps({"network": args.network, "losses": losses}), flush=True)


if __name__ == "__main__":
    main()
