"""Writes what PyTorch computes as JSON: operations.json, optimizers.json and network.json, next to this script.

    python3 make-fixtures.py

Inputs are numbers that float32 can hold; everything is computed in float64 from them, on one thread, with a fixed seed.
Layouts are Tessera's: images [N, H, W, C]; convolution weights [R, S, C/groups, K]; weights of transposed convolutions
[R, S, filters/groups, C]; weights of dense layers [C, units]. FixtureTests reads the files. They were written with
PyTorch 2.15.0; another version may differ in the last digits.
"""

import json
import math
import pathlib

import torch
import torch.nn.functional as F

torch.manual_seed(20240607)
torch.set_num_threads(1)
folder = pathlib.Path(__file__).parent


def numbers(*shape, mean=0.0, deviation=1.0):
    """Normal random numbers, rounded to float32, as float64."""
    return (torch.randn(shape, dtype=torch.float64) * deviation + mean).float().double()


def rounded(attribute):
    """Slopes, momenta and decays are float32 in Tessera, in float64 programs too."""
    return torch.tensor(attribute).float().item()


SLOPE, MOMENTUM, DECAY = rounded(0.1), rounded(0.9), rounded(0.05)


def to_nhwc(t):
    return t.permute(0, 2, 3, 1) if t.dim() == 4 else t


def to_tessera_weight(t):
    """[K, C/groups, R, S] and, transposed, [C, filters/groups, R, S], and [units, C]: the first axis goes last."""
    if t.dim() == 4:
        return t.permute(2, 3, 1, 0)
    return t.t() if t.dim() == 2 else t


def array(t):
    t = t.detach().contiguous()
    # JSON has no NaN: it stands as a string.
    values = ["nan" if math.isnan(v) else v for v in t.reshape(-1).tolist()]
    return {"shape": list(t.shape), "values": values}


def leaf(t):
    return t.detach().clone().requires_grad_()


# Operations: result, and gradients of sum(y dy) for a random dy

operations = []


def add(name, operation, attributes, forward, x, parameters=None, target=None, labels=None, statistics=None,
        differentiates=True):
    """`forward` gets x, the parameters (weight, bias) as keywords and the statistics, which it may change."""
    operands = {"x": leaf(x)} | {key: leaf(value) for key, value in (parameters or {}).items()}
    if target is not None:
        operands["target"] = leaf(target)
    running = {key: value.clone() for key, value in (statistics or {}).items()}
    layout = {key: to_nhwc if key in ("x", "target") else to_tessera_weight for key in operands}
    case = {
        "name": name, "operation": operation, "attributes": attributes,
        "operands": {key: array(layout[key](value)) for key, value in operands.items()},
        "statistics": {key: array(value) for key, value in running.items()},
    }
    if labels is not None:
        case["labels"] = labels.tolist()
    y = forward(**operands, **running)
    case["y"] = array(to_nhwc(y))
    if differentiates:
        dy = numbers(*y.shape)
        (y * dy).sum().backward()
        case["dy"] = array(to_nhwc(dy))
        case["gradients"] = {key: array(layout[key](value.grad)) for key, value in operands.items()}
    case["updates"] = {key: array(value) for key, value in running.items()}
    operations.append(case)


ACTIVATIONS = {
    "identity": lambda z: z, "relu": torch.relu, "sigmoid": torch.sigmoid, "tanh": torch.tanh,
    "leaky_relu": lambda z: F.leaky_relu(z, SLOPE), "softmax": lambda z: torch.softmax(z, -1),
}


def convolution(name, batch, size, channels, filters, kernel, stride=(1, 1), dilation=(1, 1), groups=1,
                padding=(0, 0, 0, 0), bias=True, activation="identity"):
    """`padding` is (top, left, bottom, right)."""
    top, left, bottom, right = padding
    parameters = {"weight": numbers(filters, channels // groups, *kernel, deviation=0.3)}
    if bias:
        parameters["bias"] = numbers(filters)

    def forward(x, weight, bias=None):
        x = F.pad(x, (left, right, top, bottom))
        return ACTIVATIONS[activation](F.conv2d(x, weight, bias, stride, 0, dilation, groups))

    add(name, "conv2d",
        {"filters": filters, "kernel": kernel, "stride": stride, "dilation": dilation, "groups": groups,
         "padding": padding, "hasBias": bias, "activation": activation},
        forward, numbers(batch, channels, *size), parameters)


convolution("plain 3x3", 1, (4, 3), 3, 17, (3, 3), padding=(1, 1, 1, 1))
convolution("stride 2, kernel 3x2", 1, (5, 6), 2, 18, (3, 2), stride=(2, 2), padding=(1, 0, 1, 0))
convolution("kernel 1x4, stride 1x3", 1, (5, 13), 3, 8, (1, 4), stride=(1, 3), padding=(0, 2, 0, 2), bias=False)
convolution("dilation 2x3", 1, (7, 8), 2, 9, (3, 2), dilation=(2, 3), padding=(1, 1, 1, 1), bias=False)
convolution("padding on each side its own", 1, (4, 4), 2, 9, (3, 3), padding=(2, 0, 1, 3))
convolution("3 groups", 1, (6, 4), 6, 9, (3, 3), stride=(2, 1), groups=3, padding=(1, 1, 1, 1))
convolution("as many groups as channels", 1, (4, 3), 17, 17, (3, 3), groups=17, padding=(1, 1, 1, 1))
convolution("1x1", 2, (2, 2), 33, 5, (1, 1))
convolution("1 channel, kernel 5x3", 1, (5, 4), 1, 16, (5, 3), padding=(2, 0, 2, 0))
convolution("relu", 1, (5, 5), 3, 7, (3, 3), activation="relu")
convolution("leaky relu", 1, (4, 4), 2, 16, (2, 2), activation="leaky_relu")
convolution("tanh", 1, (5, 5), 2, 5, (3, 3), activation="tanh")


def transposed(name, batch, size, channels, filters, kernel, stride, padding=(0, 0), output_padding=(0, 0), groups=1,
               dilation=(1, 1), bias=True, activation="identity"):
    parameters = {"weight": numbers(channels, filters // groups, *kernel, deviation=0.3)}
    if bias:
        parameters["bias"] = numbers(filters)

    def forward(x, weight, bias=None):
        return ACTIVATIONS[activation](
            F.conv_transpose2d(x, weight, bias, stride, padding, output_padding, groups, dilation))

    add(name, "conv_transpose2d",
        {"filters": filters, "kernel": kernel, "stride": stride, "dilation": dilation, "groups": groups,
         "padding": padding + padding, "outputPadding": output_padding, "hasBias": bias, "activation": activation},
        forward, numbers(batch, channels, *size), parameters)


transposed("stride 2, output padding 1", 2, (2, 3), 3, 5, (3, 3), (2, 2), (1, 1), (1, 1))
transposed("stride 3x2, output padding 2x1, 2 groups", 1, (2, 2), 6, 6, (3, 2), (3, 2), (1, 0), (2, 1), groups=2)
transposed("dilation 2, output padding 1x0", 1, (3, 3), 2, 9, (2, 3), (2, 1), (0, 2), (1, 0), dilation=(1, 2))
transposed("stride 1, relu", 1, (4, 3), 4, 5, (3, 3), (1, 1), bias=False, activation="relu")


def max_pool(name, x, kernel, stride, padding=(0, 0), dilation=(1, 1), differentiates=True):
    add(name, "max_pool2d", {"kernel": kernel, "stride": stride, "padding": padding + padding, "dilation": dilation},
        lambda x: F.max_pool2d(x, kernel, stride, padding, dilation), x, differentiates=differentiates)


max_pool("2x2", numbers(1, 17, 4, 4), (2, 2), (2, 2))
max_pool("3x3, stride 2, padding 1", numbers(2, 3, 7, 6), (3, 3), (2, 2), (1, 1))
max_pool("2x3, stride 1x2, dilation 2x1", numbers(1, 17, 4, 6), (2, 3), (1, 2), (0, 1), (2, 1))
max_pool("ties", torch.randint(0, 3, (1, 18, 5, 4)).double(), (3, 3), (2, 2), (1, 1))
max_pool("all below 0, padding 1", -numbers(1, 3, 5, 5).abs(), (2, 2), (2, 2), (1, 1))
holes = numbers(1, 17, 5, 4)
holes[0, 0, 2, 3] = holes[0, 5, 0, 0] = holes[0, 16, 4, 3] = math.nan
max_pool("NaN", holes, (3, 3), (2, 2), (1, 1), differentiates=False)

for counts in (True, False):
    for name, x, kernel, stride, padding in (
        ("3x3, stride 2, padding 1", numbers(2, 3, 7, 6), (3, 3), (2, 2), (1, 1)),
        ("2x5, stride 1x3, padding 1x2", numbers(1, 7, 3, 6), (2, 5), (1, 3), (1, 2)),
    ):
        add(f"{name}, {'with' if counts else 'without'} padding counted", "average_pool2d",
            {"kernel": kernel, "stride": stride, "padding": padding + padding, "countsPadding": counts},
            lambda x: F.avg_pool2d(x, kernel, stride, padding, count_include_pad=counts), x)


def batch_norm(name, shape, training, mean=0.0, deviation=1.0, epsilon=1e-5, momentum=0.1):
    """`conditioning` is the mean in deviations: by so much the rounding of a mean is larger than that of a result."""
    channels = shape[1]

    def forward(x, weight, bias, running_mean, running_var):
        return F.batch_norm(x, running_mean, running_var, weight, bias, training, momentum, epsilon)

    add(name, "batch_norm2d",
        {"epsilon": epsilon, "momentum": momentum, "training": training, "conditioning": abs(mean) / deviation},
        forward, numbers(*shape, mean=mean, deviation=deviation),
        {"weight": numbers(channels, mean=1, deviation=0.3), "bias": numbers(channels)},
        statistics={"running_mean": numbers(channels, mean=mean, deviation=deviation),
                    "running_var": (numbers(channels).abs() + 0.5).float().double() * deviation ** 2})


batch_norm("training", (3, 17, 2, 3), True)
batch_norm("training, epsilon 0.001, momentum 0.25", (2, 5, 5, 3), True, 0.5, 2, 1e-3, 0.25)
batch_norm("training, mean 10000, deviation 1", (4, 4, 3, 3), True, 1e4, 1)
batch_norm("evaluation", (2, 17, 2, 2), False)
batch_norm("evaluation, mean 10000, deviation 1", (2, 4, 3, 3), False, 1e4, 1)


def row_norm(name, operation, shape, attributes, forward, rows, mean):
    """Normalizations of each sample by itself: of each row of what `rows` gives."""
    channels = shape[1]
    x = numbers(*shape, mean=mean, deviation=1)
    # Few elements may lie closer together than those that they were drawn from.
    deviation = rows(x).std(dim=1, correction=0).min().item()
    add(name, operation, attributes | {"conditioning": abs(mean) / deviation}, forward, x,
        {"weight": numbers(channels, mean=1, deviation=0.3), "bias": numbers(channels)})


# Numbers of their own: those of the other fixtures stay what they are.
with torch.random.fork_rng():
    torch.manual_seed(20261128)
    for mean in (0.0, 1e4):
        of = f", mean {mean:g}"
        for groups, channels in ((1, 5), (3, 12), (4, 68), (19, 19)):
            row_norm(f"{groups} groups of {channels} channels{of}", "group_norm", (2, channels, 3, 5),
                     {"groups": groups, "epsilon": 1e-5},
                     lambda x, weight, bias: F.group_norm(x, groups, weight, bias, 1e-5),
                     lambda x: x.reshape(2 * groups, -1), mean)
        row_norm(f"17 channels{of}", "instance_norm2d", (3, 17, 4, 3), {"epsilon": 1e-3},
                 lambda x, weight, bias: F.instance_norm(x, weight=weight, bias=bias, eps=1e-3),
                 lambda x: x.reshape(3 * 17, -1), mean)
        for channels in (3, 37, 131):
            row_norm(f"{channels} channels{of}", "layer_norm", (2, channels, 3, 2), {"epsilon": 1e-5},
                     lambda x, weight, bias: F.layer_norm(
                         x.permute(0, 2, 3, 1), (channels,), weight, bias, 1e-5).permute(0, 3, 1, 2),
                     lambda x: x.permute(0, 2, 3, 1).reshape(-1, channels), mean)
    for size, beta, channels in ((5, 0.75, 37), (3, 0.5, 2), (1, 1.25, 7), (9, 0.75, 16)):
        add(f"windows of {size} of {channels}, beta {beta}", "local_response_norm",
            {"filters": size, "alpha": 0.3, "beta": beta, "bias": 1.5},
            lambda x: F.local_response_norm(x, size, 0.3, beta, 1.5), numbers(2, channels, 3, 2, deviation=2.0))


def linear(name, batch, channels, units, bias=True, activation="identity"):
    parameters = {"weight": numbers(units, channels, deviation=0.3)}
    if bias:
        parameters["bias"] = numbers(units)
    add(name, "linear", {"filters": units, "hasBias": bias, "activation": activation},
        lambda x, weight, bias=None: ACTIVATIONS[activation](F.linear(x, weight, bias)),
        numbers(batch, channels), parameters)


linear("3x37 to 7", 3, 37, 7)
linear("1x7 to 33, no bias", 1, 7, 33, bias=False)
linear("sigmoid", 7, 5, 10, activation="sigmoid")

for activation in ("relu", "leaky_relu", "sigmoid", "tanh"):
    # Zeros, where the derivative is a convention, and numbers at which float32 saturates.
    special = torch.tensor([0.0, -0.0, 2.0 ** -20, -2.0 ** -20, 0.5, -0.5, 12, -12, 40, -40, 100, -100]).double()
    x = torch.cat([special, numbers(49) * 2]).reshape(1, 61)
    add(f"{activation}", "activation", {"activation": activation}, lambda x: ACTIVATIONS[activation](x), x)
for name, x in (("softmax", numbers(5, 19)), ("softmax of large numbers", numbers(3, 17, mean=500, deviation=20))):
    add(name, "activation", {"activation": "softmax"}, lambda x: torch.softmax(x, -1), x)

huge = numbers(4, 7)
huge[0, 2], huge[1, 0], huge[1, 6], huge[2, 4], huge[3, 3] = 1e4, -1e4, 1e4, -1e4, 1e4
for reduction in ("mean", "sum"):
    for name, x in (("", numbers(5, 19)), (" of logits of +-10000", huge)):
        # Of the large logits rows 0 and 3 hit the largest one, 1 and 2 the smallest.
        labels = torch.tensor([2, 0, 4, 3]) if name else torch.randint(0, 19, (5,))
        add(f"{reduction}{name}", "cross_entropy", {"reduction": reduction},
            lambda x: F.cross_entropy(x, labels, reduction=reduction), x, labels=labels)
    add(reduction, "mean_squared_error", {"reduction": reduction},
        lambda x, target: F.mse_loss(x, target, reduction=reduction), numbers(4, 18), target=numbers(4, 18))


# Optimizers: three steps with given gradients. Learning rates are powers of 2, since Tessera's are float32.

STATES = {"momentum_buffer": "velocity", "exp_avg": "first_moment", "exp_avg_sq": "second_moment"}


def optimizer_case(name, optimizer, attributes, **arguments):
    """`attributes` are for Tessera, `arguments` for PyTorch."""
    p = leaf(numbers(19))
    case = {"name": name, "attributes": attributes, "parameter": array(p), "steps": []}
    optimizer = optimizer([p], lr=attributes["learningRate"], **arguments)
    for _ in range(3):
        g = numbers(19)
        optimizer.zero_grad()
        (p * g).sum().backward()
        optimizer.step()
        states = {STATES[key]: array(value) for key, value in optimizer.state[p].items()
                  if key in STATES and value is not None}
        case["steps"].append({"gradient": array(g), "parameter": array(p), "states": states})
    return case


RATE, FINE = 2.0 ** -4, 2.0 ** -7
optimizers = [
    optimizer_case("plain", torch.optim.SGD, {"rule": "sgd", "learningRate": RATE}),
    optimizer_case("momentum", torch.optim.SGD, {"rule": "sgd", "learningRate": RATE, "momentum": MOMENTUM},
                   momentum=MOMENTUM),
    optimizer_case("Nesterov, weight decay", torch.optim.SGD,
                   {"rule": "sgd", "learningRate": RATE, "momentum": MOMENTUM, "nesterov": True, "weightDecay": DECAY},
                   momentum=MOMENTUM, nesterov=True, weight_decay=DECAY),
    optimizer_case("Adam", torch.optim.Adam, {"rule": "adam", "learningRate": FINE}),
    optimizer_case("Adam, weight decay", torch.optim.Adam,
                   {"rule": "adam", "learningRate": FINE, "beta1": 0.8, "beta2": 0.99, "epsilon": 1e-6,
                    "weightDecay": DECAY},
                   betas=(0.8, 0.99), eps=1e-6, weight_decay=DECAY),
    optimizer_case("AdamW", torch.optim.AdamW, {"rule": "adamW", "learningRate": FINE, "weightDecay": DECAY},
                   weight_decay=DECAY),
]


# A network: convolution, relu, max pooling, batch normalization, dense; three steps of SGD with momentum

def network():
    parameters = {
        "conv.weight": leaf(numbers(6, 2, 3, 3, deviation=0.4)), "conv.bias": leaf(numbers(6, deviation=0.1)),
        "norm.weight": leaf(numbers(6, mean=1, deviation=0.2)), "norm.bias": leaf(numbers(6, deviation=0.2)),
        "dense.weight": leaf(numbers(7, 36, deviation=0.2)), "dense.bias": leaf(numbers(7, deviation=0.1)),
    }
    statistics = {"norm.running_mean": torch.zeros(6).double(), "norm.running_var": torch.ones(6).double()}

    def state():
        return {key: array(to_tessera_weight(value)) for key, value in (parameters | statistics).items()}

    case = {"learningRate": RATE, "momentum": MOMENTUM, "initial": state(), "steps": []}
    optimizer = torch.optim.SGD(parameters.values(), lr=RATE, momentum=MOMENTUM)
    for _ in range(3):
        x, labels = numbers(5, 2, 6, 4), torch.randint(0, 7, (5,))
        z = F.conv2d(x, parameters["conv.weight"], parameters["conv.bias"], padding=1)
        z = F.max_pool2d(torch.relu(z), 2)
        z = F.batch_norm(z, statistics["norm.running_mean"], statistics["norm.running_var"],
                         parameters["norm.weight"], parameters["norm.bias"], True)
        # Channels stand last where the image is flattened.
        z = F.linear(to_nhwc(z).flatten(1), parameters["dense.weight"], parameters["dense.bias"])
        loss = F.cross_entropy(z, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        case["steps"].append({"x": array(to_nhwc(x)), "labels": labels.tolist(), "loss": loss.item(),
                              "probabilities": array(torch.softmax(z, -1))})
    return case | {"final": state()}


for name, content in (("operations", operations), ("optimizers", optimizers), ("network", network())):
    cases = content if isinstance(content, list) else [content]
    # One case a line: a difference shows what changed.
    lines = ",\n".join(json.dumps(case, separators=(",", ":"), allow_nan=False) for case in cases)
    (folder / f"{name}.json").write_text("[\n" + lines + "\n]\n")
