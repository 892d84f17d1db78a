"""Times whole networks on the peers, in fp32, with seeded random weights: inference and training steps.

Networks: mnist_cnn (the course's network), cifar_vgg, and torchvision's, such as resnet50, mobilenet_v2, vgg16.
Peers: PyTorch eager in NCHW and channels-last (inference and training), torch.compile, ONNX Runtime and OpenVINO
(inference).
Prints one JSON record each: {"network", "batch", "mode", "peer", "best_ms", "images_per_second"}.
Usage: networks.py NETWORK --batch 16 [--threads 2] [--mode inference|training|both]
                   [--peers eager,channels_last,compile,onnxruntime,openvino]
       networks.py NETWORK --export FILE.onnx     (writes the network, for an engine that imports ONNX)
"""
import argparse
import json
import os
import tempfile
import time


def mnist_cnn(nn):
    return nn.Sequential(
        nn.Conv2d(1, 64, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(64, 32, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Dropout(0.25), nn.Flatten(), nn.Linear(32 * 5 * 5, 10))


def cifar_vgg(nn):
    layers, c = [], 3
    for k in (64, 64, "M", 128, 128, "M", 256, 256, "M"):
        if k == "M":
            layers.append(nn.MaxPool2d(2))
        else:
            layers += [nn.Conv2d(c, k, 3, padding=1), nn.ReLU()]
            c = k
    return nn.Sequential(
        *layers, nn.Flatten(), nn.Linear(256 * 4 * 4, 256), nn.ReLU(), nn.Dropout(0.5), nn.Linear(256, 10))


def build(name):
    """How to make a network, the shape of its images and its number of classes; None if there is no such network."""
    import torch.nn as nn
    import torchvision.models as zoo

    own = {"mnist_cnn": (lambda: mnist_cnn(nn), (1, 28, 28), 10), "cifar_vgg": (lambda: cifar_vgg(nn), (3, 32, 32), 10)}
    if name in own:
        return own[name]
    return (getattr(zoo, name), (3, 224, 224), 1000) if name in zoo.list_models(module=zoo) else None


def prepare(parser, args):
    """Sets PyTorch's threads and seed, which has to be before it is imported elsewhere; returns what `build` makes."""
    os.environ["OMP_NUM_THREADS"] = str(args.threads)
    import torch

    torch.manual_seed(0)
    torch.set_num_threads(args.threads)
    network = build(args.network)
    if network is None:
        parser.error(f"no network \"{args.network}\"")
    return network


def best_seconds(call, repeats=5, minimum=0.3):
    call()
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
    parser.add_argument("network")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--mode", default="both", choices=("inference", "training", "both"))
    parser.add_argument("--peers", default="eager,channels_last,onnxruntime,openvino")
    parser.add_argument("--export")
    args = parser.parse_args()
    make, shape, classes = prepare(parser, args)
    import torch
    import torch.nn.functional as F

    x, target = torch.randn(args.batch, *shape), torch.randint(0, classes, (args.batch,))
    model = make()

    def export(path):
        torch.onnx.export(model.eval(), (x,), path, dynamo=False, input_names=["x"], output_names=["y"])

    if args.export:
        return export(args.export)

    def report(peer, mode, seconds):
        record = {"network": args.network, "batch": args.batch, "mode": mode, "peer": peer,
                  "best_ms": seconds * 1e3, "images_per_second": args.batch / seconds}
        print(json.dumps(record), flush=True)

    for peer in args.peers.split(","):
        fmt = torch.channels_last if peer == "channels_last" else torch.contiguous_format
        data = x.contiguous(memory_format=fmt)
        if args.mode in ("inference", "both"):
            with torch.inference_mode():
                net = make().eval().to(memory_format=fmt)
                if peer == "compile":
                    net = torch.compile(net)
                if peer in ("eager", "channels_last", "compile"):
                    report(peer, "inference", best_seconds(lambda: net(data)))
            path = os.path.join(tempfile.gettempdir(), f"peers_{args.network}_{args.batch}.onnx")
            if peer in ("onnxruntime", "openvino") and not os.path.exists(path):
                export(path)
            if peer == "onnxruntime":
                import onnxruntime as ort

                options = ort.SessionOptions()
                options.intra_op_num_threads = args.threads
                runner = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
                feed = {"x": x.numpy()}
                report(peer, "inference", best_seconds(lambda: runner.run(None, feed)))
            if peer == "openvino":
                import openvino as ov

                compiled = ov.Core().compile_model(path, "CPU", {
                    "INFERENCE_NUM_THREADS": args.threads, "PERFORMANCE_HINT": "LATENCY",
                    "INFERENCE_PRECISION_HINT": "f32"})
                request = compiled.create_infer_request()
                request.set_tensor("x", ov.Tensor(x.numpy()))
                report(peer, "inference", best_seconds(lambda: request.infer()))
        if args.mode in ("training", "both") and peer in ("eager", "channels_last", "compile"):
            net = make().train().to(memory_format=fmt)
            run = torch.compile(net) if peer == "compile" else net
            optimizer = torch.optim.SGD(net.parameters(), lr=1e-4, momentum=0.9)

            def step():
                optimizer.zero_grad(set_to_none=True)
                F.cross_entropy(run(data), target).backward()
                optimizer.step()

            report(peer, "training", best_seconds(step))


if __name__ == "__main__":
    main()
