# SPDX-License-Identifier: BSD-3-Clause
"""Figures of docs/kernels.md, drawn from its tables, so that both always say the same."""
import re

from svg_plot import Categories, Linear, Log, Panel, figure

# Colour, marker, dash of the line; a dash of None draws no line.
KERNELS = {
    "limit": ("grey", "", "5 4"), "avx512": ("blue", "dot", ""), "avx2": ("sky", "square", ""), "neon64": ("blue", "dot", ""),
    "avx512_relu": ("blue", "dot", "4 2"), "avx2_relu": ("sky", "square", "4 2"), "neon64_relu": ("blue", "dot", "4 2"), "sse4_1": ("green", "diamond", ""),
    "plain_loop": ("orange", "square", "2 3"), "scalar_loop": ("red", "dot", "2 3"), "xnnpack": ("pink", "diamond", None), "onednn": ("grey", "ring", None),
}
KERNEL_FIGURES = {"Quantise and pack": "kernels_pack.svg", "Unpack and dequantise": "kernels_unpack.svg"}
CODEC_FIGURE = "codecs.svg"
OURS = ("blue", "dot", None)
# Named in the legend, as their names would hide each other in the figure: rings for one byte per code, squares for packed bytes.
PEERS = {f"{library}_{form}": (colour, shape, None)
         for library, colour in (("lz4", "orange"), ("zstd", "red"), ("zstd_fast", "pink"), ("blosc_shuffle", "sky"), ("blosc_bitshuffle", "green"))
         for form, shape in (("bytes", "ring"), ("packed", "square"))}
CODEC_WIDTHS = ["2", "4", "8"]


def tables_of(document):
    """(heading 2, heading 3) -> {row name: {column name: first number of the cell}} for every table of a Markdown text."""
    tables, above, heading, columns = {}, "", "", None
    for line in document.splitlines():
        if line.startswith("## "):
            above, heading, columns = line[3:].strip(), "", None
        elif line.startswith("### "):
            heading, columns = line[4:].strip(), None
        elif line.startswith("|"):
            cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
            if columns is None:
                columns = cells[1:]
            elif not set("".join(cells)) <= set("- "):
                values = {c: re.match(r"[0-9.]+", cell) for c, cell in zip(columns, cells[1:])}
                tables.setdefault((above, heading), {})[cells[0]] = {c: float(found[0]) for c, found in values.items() if found}
        else:
            columns = None
    return tables


def kernel_figure(tables, operation):
    """Speed over width, a panel for each working set; None where the document has no such tables."""
    panels, shown = [], []
    parts = {heading: rows for (above, heading), rows in tables.items() if above == operation}
    speeds = [1000 / v for rows in parts.values() for who, cells in rows.items() if who in KERNELS for v in cells.values()]
    for heading, rows in parts.items():
        widths = next(iter(rows.values())).keys()
        lines = [(who, [(width, 1000 / value) for width, value in cells.items()], KERNELS[who]) for who, cells in rows.items() if who in KERNELS]
        shown += [who for who, _, _ in lines if who not in shown]
        panels.append(Panel(heading, Categories(widths, "bits per value"), Log(speeds, "values per ns"), lines))
    if not panels:
        return None
    return figure(f"{operation}: speed by width", panels, 2, [(who, KERNELS[who]) for who in shown])


def codec_figure(tables):
    """Size over speed, encode beside decode, a row for each width; None where the document has no such tables."""
    real, synthetic = "Size over entropy, NCHW: median / worst tensor", "Size over entropy, synthetic tensor, NCHW"
    sizes = tables.get(("Codecs", real)) or tables.get(("Codecs", synthetic))
    speeds = {op: tables.get(("Codecs", f"{op}, 1 MiB of floats")) for op in ("Encode", "Decode")}
    if not sizes or not all(speeds.values()):
        return None
    panels = []
    for width in CODEC_WIDTHS:
        for op, rows in speeds.items():
            points = []
            for who, cells in sizes.items():
                if width in cells and width in rows.get(who, {}):
                    name, look = ("", PEERS[who]) if who in PEERS else (who, OURS)
                    points.append((name, 1000 / rows[who][width], cells[width], look))
            points.sort(key=lambda p: p[0] != "")   # ours on top
            if points:
                x = [1000 / cells[w] for cells in rows.values() for w in CODEC_WIDTHS if w in cells]
                y = [cells[w] for cells in sizes.values() for w in CODEC_WIDTHS if w in cells]
                panels.append(Panel(f"{op}, {width} bits", Log(x, "values per ns"), Linear(y, "size / entropy", 0.5), points=points))
    if not panels:
        return None
    return figure("Codecs: size over speed, 1 MiB of floats; best at the lower right", panels, 2, [("our codecs", OURS)] + [(who, look) for who, look in PEERS.items() if who in sizes])


def draw(document, folder):
    """Writes each figure that the tables of `document` suffice for into `folder`; returns the names."""
    tables, drawn = tables_of(document), {}
    for operation, name in KERNEL_FIGURES.items():
        drawn[name] = kernel_figure(tables, operation)
    drawn[CODEC_FIGURE] = codec_figure(tables)
    for name, text in drawn.items():
        if text:
            (folder / name).write_text(text)
    return [name for name, text in drawn.items() if text]
