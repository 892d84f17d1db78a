#!/usr/bin/env python3
"""Finds the rounding error of Winograd's algorithms at different points of interpolation, in simulated float32.

For each F(m x m, r x r): the largest error relative to the largest output, over unit-normal tiles and weights, with 64
and with 256 channels, and whether all constants of A and B are floats. Needs numpy. Takes seconds.
Source of the matrices: Toom and Cook; Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (2015).
Usage: winograd-points.py
"""
import math

import numpy as np

ROOT = math.sqrt(2)
CANDIDATES = [
    # Outputs, weights, points; infinity is one in all of them.
    (4, 3, "0 +-1 +-2", (0, 1, -1, 2, -2)),
    (4, 3, "0 +-1 +-1/2", (0, 1, -1, 0.5, -0.5)),
    (4, 3, "0 +-1 1/2 -2", (0, 1, -1, 0.5, -2)),
    (4, 3, "0 +-5/8 +-5/4", (0, 0.625, -0.625, 1.25, -1.25)),
    (4, 3, "0 +-1/sqrt2 +-sqrt2", (0, 1 / ROOT, -1 / ROOT, ROOT, -ROOT)),
    (4, 3, "0 +-3/4 +-3/2", (0, 0.75, -0.75, 1.5, -1.5)),
    (3, 4, "0 +-1 +-2", (0, 1, -1, 2, -2)),
    (3, 4, "0 +-1/sqrt2 +-sqrt2", (0, 1 / ROOT, -1 / ROOT, ROOT, -ROOT)),
    (3, 4, "0 +-3/4 +-3/2", (0, 0.75, -0.75, 1.5, -1.5)),
    (2, 5, "0 +-1 +-2", (0, 1, -1, 2, -2)),
    (2, 5, "0 +-3/4 +-3/2", (0, 0.75, -0.75, 1.5, -1.5)),
    (5, 2, "0 +-1 +-2", (0, 1, -1, 2, -2)),
    (5, 2, "0 +-3/4 +-3/2", (0, 0.75, -0.75, 1.5, -1.5)),
    (5, 3, "0 +-1 +-1/2 2", (0, 1, -1, 0.5, -0.5, 2)),
    (6, 3, "0 +-1 +-2 +-1/2", (0, 1, -1, 2, -2, 0.5, -0.5)),
    (6, 3, "0 +-1/2 +-1 +-3/2", (0, 0.5, -0.5, 1, -1, 1.5, -1.5)),
    (6, 3, "0 +-3/5 +-1 +-8/5", (0, 0.6, -0.6, 1, -1, 1.6, -1.6)),
]


def matrices(outputs, weights, points):
    """A^T, G and B^T of y = A^T [(G g) . (B^T d)], in double precision."""
    size = outputs + weights - 1
    a, g, b = np.zeros((outputs, size)), np.zeros((size, weights)), np.zeros((size, size))
    for j, point in enumerate(points):
        others = [other for k, other in enumerate(points) if k != j]
        polynomial = np.poly(others)
        a[:, j] = point ** np.arange(outputs)
        g[j] = point ** np.arange(weights) / np.prod([point - other for other in others])
        b[j, : size - 1] = polynomial[::-1]
    a[-1, -1] = g[-1, -1] = 1
    b[-1] = np.poly(points)[::-1]
    return a, g, b


def defect(outputs, weights, transforms, random):
    """How far the one-dimensional algorithm is from the sum it stands for, in double precision."""
    a, g, b = transforms
    x, w = random.standard_normal(outputs + weights - 1), random.standard_normal(weights)
    y = a @ ((g @ w) * (b @ x))
    return np.abs(y - np.correlate(x, w, "valid")).max()


def error(outputs, weights, transforms, channels, tiles=64, filters=16):
    """Largest error over largest output, every step and the sum over channels rounded to float32."""
    random = np.random.default_rng(0)
    size = outputs + weights - 1
    d = random.standard_normal((tiles, channels, size, size)).astype(np.float32)
    w = random.standard_normal((filters, channels, weights, weights)).astype(np.float32)
    a, g, b = (matrix.astype(np.float32) for matrix in transforms)

    def both_sides(matrix, values):
        rows = np.einsum("ij,xyjk->xyik", matrix, values)
        return np.einsum("xyik,lk->xyil", rows, matrix)

    v, u = both_sides(b, d), both_sides(g, w)
    m = np.zeros((tiles, filters, size, size), np.float32)
    for c in range(channels):
        m += v[:, None, c] * u[None, :, c]
    y = both_sides(a, m)

    expected = np.zeros((tiles, filters, outputs, outputs))
    d, w = d.astype(np.float64), w.astype(np.float64)
    for r in range(weights):
        for s in range(weights):
            window = d[:, :, r : r + outputs, s : s + outputs]
            expected += np.einsum("tcij,fc->tfij", window, w[:, :, r, s])
    return np.abs(y - expected).max() / np.abs(expected).max()


def main():
    random = np.random.default_rng(1)
    print(f"{'algorithm':<14}{'points, and infinity':<24}{'64 channels':>12}{'256 channels':>14}{'exact A, B':>12}")
    for outputs, weights, name, points in CANDIDATES:
        transforms = matrices(outputs, weights, points)
        assert defect(outputs, weights, transforms, random) < 1e-12
        errors = [error(outputs, weights, transforms, channels) for channels in (64, 256)]
        exact = all((matrix == matrix.astype(np.float32)).all() for matrix in (transforms[0], transforms[2]))
        kind = f"F({outputs}x{outputs}, {weights}x{weights})"
        print(f"{kind:<14}{name:<24}{errors[0]:>12.1e}{errors[1]:>14.1e}{'yes' if exact else 'no':>12}")


main()
