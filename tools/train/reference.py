#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Runs a network on labelled pictures with OpenCV's dnn module and keeps its logits as the reference for our own engine.

    reference.py FOLDER     reads FOLDER/shapes.onnx, shapes.json and pictures/labels.csv, writes pictures/logits.npy

The array is n x 10, float32, in the order of labels.csv. Needs Debian's python3-opencv.
"""
import csv
import json
import pathlib
import sys

import cv2
import numpy as np


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: reference.py FOLDER")
    folder = pathlib.Path(sys.argv[1])
    keys = json.loads((folder / "shapes.json").read_text())
    mean, std = (np.array(keys[key], np.float32) for key in ("mean", "std"))
    net = cv2.dnn.readNetFromONNX(str(folder / "shapes.onnx"))
    with open(folder / "pictures" / "labels.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    logits = []
    for row in rows:
        rgb = cv2.imread(str(folder / "pictures" / row["file"]), cv2.IMREAD_COLOR)[:, :, ::-1]  # OpenCV reads BGR
        net.setInput(np.ascontiguousarray(((rgb - mean) / std).transpose(2, 0, 1)[None], np.float32))
        logits.append(net.forward()[0])
    logits = np.array(logits, np.float32)
    np.save(folder / "pictures" / "logits.npy", logits)
    right = sum(int(row["class_index"]) == best for row, best in zip(rows, logits.argmax(1)))
    print(f"{right} of {len(rows)} right")


if __name__ == "__main__":
    main()
