#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Trains the bundled network on drawn pictures and writes it as ONNX.

Needs Debian's python3-torch and python3-onnx, and the program narrows_draw (tools/draw). examples/data/README.md holds
the command that made the shipped files and what it took. Every random choice follows --seed; the picture sets are those
of narrows_draw with the seeds below, so training never sees a picture that is used for testing or shipped.

The network is written once, in network(), as calls on a backend: TorchOps trains it, OnnxOps writes it down. So the
file has exactly the nodes and names of that function, batch normalisation stays a node of its own, and a tensor is called
like the node that makes it.
"""
import argparse
import math
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn
from torch.nn import functional as F

SIDE = 96
CLASSES = 10
TRAIN_SET, VALIDATION_SET, TEST_SET, SHIPPED_SET = 1, 2, 3, 2024  # seeds for narrows_draw


def network(ops, x):
    """1 x 3 x 96 x 96 to ten logits. ops: TorchOps or OnnxOps; x: their kind of tensor."""

    def conv_bn(name, x, out, kernel, stride=1, depthwise=False):
        return ops.bn(f"{name}.bn", ops.conv(f"{name}.conv", x, out, kernel, stride, depthwise))

    def residual(name, x, out):
        """Two 3 x 3 convolutions beside a short cut, which is a 1 x 1 convolution where the width changes."""
        y = ops.relu(f"{name}.a.relu", conv_bn(f"{name}.a", x, out, 3))
        y = conv_bn(f"{name}.b", y, out, 3)
        short = x if ops.width(x) == out else conv_bn(f"{name}.short", x, out, 1)
        return ops.relu(f"{name}.out", ops.add(f"{name}.add", y, short))

    def fire(name, x, squeeze, expand):
        """A narrow 1 x 1 convolution, then a 1 x 1 and a 3 x 3 one side by side."""
        s = ops.relu(f"{name}.squeeze", conv_bn(f"{name}.s", x, squeeze, 1))
        a = ops.relu(f"{name}.left", conv_bn(f"{name}.l", s, expand, 1))
        b = ops.relu(f"{name}.right", conv_bn(f"{name}.r", s, expand, 3))
        return ops.concat(f"{name}.concat", a, b)

    def inverted(name, x, inner, out, stride=1):
        """Widen, filter each channel alone, narrow without an activation; a short cut joins the narrow ends.

        ReLU instead of MobileNetV2's ReLU6: OpenCV 4.6 cannot read the Clip of opset 11 and later.
        """
        y = ops.relu(f"{name}.wide", conv_bn(f"{name}.w", x, inner, 1))
        y = ops.relu(f"{name}.depth", conv_bn(f"{name}.d", y, inner, 3, stride, depthwise=True))
        if stride == 1 and ops.width(x) == out:
            return ops.add(f"{name}.out", conv_bn(f"{name}.n", y, out, 1), x)
        return ops.bn(f"{name}.out", ops.conv(f"{name}.n.conv", y, out, 1))

    x = ops.relu("stem.relu", conv_bn("stem", x, 24, 3, stride=2))  # 24 x 48 x 48
    x = ops.max_pool("pool1", x)  # 24 x 24 x 24
    x = residual("res1", x, 24)
    x = fire("fire", x, 16, 32)  # 64 x 24 x 24
    x = ops.max_pool("pool2", x)  # 64 x 12 x 12
    x = inverted("ir1", x, 128, 32)  # 32 x 12 x 12
    x = inverted("ir2", x, 192, 32)
    x = inverted("ir3", x, 192, 48, stride=2)  # 48 x 6 x 6
    x = inverted("ir4", x, 288, 48)
    x = residual("res2", x, 96)  # 96 x 6 x 6
    x = ops.relu("top.relu", conv_bn("top", x, 256, 1))  # 256 x 6 x 6
    x = ops.flatten("flatten", ops.average("average", x))
    return ops.linear("logits", x, CLASSES)


class TorchOps(nn.Module):
    """Runs network() in torch. Layers are made at their first call, from the width of what reaches them."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleDict()

    def layer(self, name, make):
        key = name.replace(".", "/")  # torch keeps the dot for itself
        if key not in self.layers:
            self.layers[key] = make()
        return self.layers[key]

    def forward(self, x):
        return network(self, x)

    width = staticmethod(lambda x: x.shape[1])
    relu = staticmethod(lambda name, x: F.relu(x))
    add = staticmethod(lambda name, x, y: x + y)
    concat = staticmethod(lambda name, *xs: torch.cat(xs, 1))
    max_pool = staticmethod(lambda name, x: F.max_pool2d(x, 2))
    average = staticmethod(lambda name, x: x.mean((2, 3), keepdim=True))
    flatten = staticmethod(lambda name, x: x.flatten(1))

    def conv(self, name, x, out, kernel, stride=1, depthwise=False):
        into = self.width(x)
        return self.layer(name, lambda: nn.Conv2d(into, out, kernel, stride, kernel // 2, groups=into if depthwise else 1, bias=False))(x)

    def bn(self, name, x):
        return self.layer(name, lambda: nn.BatchNorm2d(self.width(x)))(x)

    def linear(self, name, x, out):
        return self.layer(name, lambda: nn.Linear(self.width(x), out))(x)


class OnnxOps:
    """Writes network() as ONNX nodes. A tensor is its name and its shape."""

    def __init__(self, trained):
        self.trained, self.nodes, self.weights, self.tensors, self.macs = trained, [], [], [], 0

    def emit(self, op, name, inputs, shape, weights=None, **attributes):
        names = [x[0] for x in inputs]
        for part, value in (weights or {}).items():
            names.append(f"{name}.{part}")
            self.weights.append(numpy_helper.from_array(np.ascontiguousarray(value.detach().numpy()), names[-1]))
        self.nodes.append(helper.make_node(op, names, [name], name=name, **attributes))
        self.tensors.append((name, shape))
        return name, shape

    def width(self, x):
        return x[1][1]

    def conv(self, name, x, out, kernel, stride=1, depthwise=False):
        layer, pad = self.trained[name.replace(".", "/")], kernel // 2
        groups = self.width(x) if depthwise else 1
        size = [(n + 2 * pad - kernel) // stride + 1 for n in x[1][2:]]
        self.macs += math.prod(size) * out * kernel * kernel * self.width(x) // groups
        return self.emit("Conv", name, [x], [1, out, *size], {"weight": layer.weight}, kernel_shape=[kernel] * 2,
                         strides=[stride] * 2, pads=[pad] * 4, group=groups, dilations=[1, 1])

    def bn(self, name, x):
        layer = self.trained[name.replace(".", "/")]
        return self.emit("BatchNormalization", name, [x], x[1],
                         {"scale": layer.weight, "bias": layer.bias, "mean": layer.running_mean, "var": layer.running_var},
                         epsilon=layer.eps)

    def relu(self, name, x):
        return self.emit("Relu", name, [x], x[1])

    def add(self, name, x, y):
        return self.emit("Add", name, [x, y], x[1])

    def concat(self, name, *xs):
        return self.emit("Concat", name, xs, [1, sum(self.width(x) for x in xs), *xs[0][1][2:]], axis=1)

    def max_pool(self, name, x):
        return self.emit("MaxPool", name, [x], [*x[1][:2], *(n // 2 for n in x[1][2:])], kernel_shape=[2, 2], strides=[2, 2])

    def average(self, name, x):
        return self.emit("GlobalAveragePool", name, [x], [*x[1][:2], 1, 1])

    def flatten(self, name, x):
        return self.emit("Flatten", name, [x], [1, self.width(x)], axis=1)

    def linear(self, name, x, out):
        layer = self.trained[name.replace(".", "/")]
        self.macs += self.width(x) * out
        return self.emit("Gemm", name, [x], [1, out], {"weight": layer.weight, "bias": layer.bias}, transB=1)

    def model(self):
        """The whole file; also counts MACs into self.macs."""
        source = ("input", [1, 3, SIDE, SIDE])
        result = network(self, source)
        describe = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        graph = helper.make_graph(self.nodes, "shapes", [describe(*source)], [describe(*result)], self.weights,
                                  value_info=[describe(*t) for t in self.tensors[:-1]])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7, producer_name="narrows tools/train")
        onnx.checker.check_model(model, full_check=True)
        return model


def drawn(program, seed, count):
    """The set `seed` of narrows_draw: uint8 pictures n x 3 x 96 x 96 and labels n."""
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "records"
        subprocess.run([program, "--count", str(count), "--seed", str(seed), "--raw", str(file)], check=True)
        records = np.fromfile(file, np.uint8).reshape(count, 1 + SIDE * SIDE * 3)
    pictures = np.ascontiguousarray(records[:, 1:].reshape(count, SIDE, SIDE, 3).transpose(0, 3, 1, 2))
    return torch.from_numpy(pictures), torch.from_numpy(records[:, 0].astype(np.int64))


def prepared(pictures):
    """What the network takes: (pixel - 127.5) / 127.5, as shapes.json says."""
    return (pictures.float() - 127.5) / 127.5


def moved(pictures):
    """Quarter turns, a mirror and another order of the colours: none of them changes what is drawn."""
    turned = torch.rot90(pictures, int(torch.randint(4, ())), (2, 3))
    if torch.randint(2, ()):
        turned = turned.flip(3)
    return turned[:, torch.randperm(3)]


def logits(net, pictures):
    net.eval()
    with torch.no_grad():
        return torch.cat([net(prepared(part)) for part in pictures.split(100)])


def accuracy(net, pictures, labels):
    return (logits(net, pictures).argmax(1) == labels).float().mean().item()


def train(net, pictures, labels, validation, options):
    batches = len(labels) // options.batch
    optimiser = torch.optim.AdamW(net.parameters(), lr=options.rate, weight_decay=options.decay)
    plan = torch.optim.lr_scheduler.OneCycleLR(optimiser, options.rate, total_steps=batches * options.epochs, pct_start=0.15)
    start = time.monotonic()
    for epoch in range(min(options.epochs, options.stop)):
        net.train()
        total = 0.0
        for chosen in torch.randperm(len(labels))[:batches * options.batch].split(options.batch):
            # moved() treats a quarter of the batch alike: cheaper than one by one, and varied enough
            batch = torch.cat([moved(pictures[part]) for part in chosen.chunk(4)])
            loss = F.cross_entropy(net(prepared(batch)), labels[chosen], label_smoothing=0.02)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            plan.step()
            total += loss.item()
        torch.save(net.state_dict(), options.weights)
        print(f"epoch {epoch + 1}/{options.epochs}  loss {total / batches:.4f}  validation {accuracy(net, *validation):.4f}"
              f"  {time.monotonic() - start:.0f} s", flush=True)


def baseline(pictures, labels, tests, test_labels):
    """Multinomial logistic regression on the same pictures at 32 x 32, to show that pixels alone do not tell."""
    shrink = lambda p: F.avg_pool2d(prepared(p), 3).flatten(1)
    x, t = shrink(pictures), shrink(tests)
    mean, spread = x.mean(0), x.std(0)
    x, t = (x - mean) / spread, (t - mean) / spread
    model, best = nn.Linear(x.shape[1], CLASSES), 0.0
    optimiser = torch.optim.SGD(model.parameters(), lr=0.005, momentum=0.9, weight_decay=1e-3)
    for _ in range(20):
        for chosen in torch.randperm(len(x)).split(200):
            optimiser.zero_grad()
            F.cross_entropy(model(x[chosen]), labels[chosen]).backward()
            optimiser.step()
        best = max(best, (model(t).argmax(1) == test_labels).float().mean().item())
    print(f"logistic regression, best of 20 epochs: {best:.4f}; after the last on its own pictures: "
          f"{(model(x).argmax(1) == labels).float().mean().item():.4f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--draw", default="narrows_draw", help="the program narrows_draw")
    parser.add_argument("--out", default="shapes.onnx", help="the ONNX file to write")
    parser.add_argument("--weights", default="shapes.pt", help="torch weights, written after each epoch")
    parser.add_argument("--resume", help="torch weights to start from")
    parser.add_argument("--count", type=int, default=30000, help="pictures to train on")
    parser.add_argument("--tests", type=int, default=5000, help="unseen pictures for the final figure")
    parser.add_argument("--epochs", type=int, default=5, help="0 only exports and measures --resume")
    parser.add_argument("--stop", type=int, default=1000, help="stop after so many epochs; the rate still follows --epochs")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rate", type=float, default=4e-3, help="highest learning rate")
    parser.add_argument("--decay", type=float, default=0.02, help="weight decay")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--baseline", action="store_true", help="fit logistic regression instead, for comparison")
    options = parser.parse_args()

    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    if options.baseline:
        return baseline(*drawn(options.draw, TRAIN_SET, options.count), *drawn(options.draw, TEST_SET, options.tests))

    net = TorchOps()
    net(torch.zeros(2, 3, SIDE, SIDE))  # makes the layers
    if options.resume:
        net.load_state_dict(torch.load(options.resume))
    if options.epochs:
        train(net, *drawn(options.draw, TRAIN_SET, options.count), drawn(options.draw, VALIDATION_SET, 1000), options)

    net.eval()
    ops = OnnxOps(net.layers)
    model = ops.model()
    onnx.save(model, options.out)
    parameters = sum(p.numel() for p in net.parameters())
    print(f"{options.out}: {parameters} parameters, {ops.macs} MACs, {model.ByteSize()} bytes")
    print(f"accuracy on {options.tests} unseen pictures: {accuracy(net, *drawn(options.draw, TEST_SET, options.tests)):.4f}")


if __name__ == "__main__":
    sys.exit(main())
