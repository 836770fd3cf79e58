# SPDX-License-Identifier: BSD-3-Clause
"""Small figures as SVG text: panels of lines over categories, or of labelled points. They stand on a card of their own,
light or dark as the reader's page is."""
import math
from xml.sax.saxutils import escape

# Okabe and Ito's colours: told apart by colour-blind readers too, and legible on both cards.
COLOURS = {"blue": "#0072b2", "orange": "#e69f00", "green": "#009e73", "red": "#d55e00", "pink": "#cc79a7", "sky": "#3a9bd8", "grey": "#7f868d"}
STYLE = """<style>
.card { fill: #ffffff; stroke: #d0d7de }
text { font-family: Helvetica, Arial, sans-serif; font-size: 12px; fill: #1f2328 }
.title { font-size: 13px; font-weight: bold }
.small { font-size: 11px; fill: #59636e }
.grid { stroke: #d8dee4; stroke-width: 1 }
.frame { fill: none; stroke: #818b98; stroke-width: 1 }
@media (prefers-color-scheme: dark) {
.card { fill: #15191f; stroke: #3d444d }
text { fill: #f0f6fc }
.small { fill: #9fa9b5 }
.grid { stroke: #2b323b }
.frame { stroke: #7d8590 }
}
</style>"""
WIDTH_OF_A_LETTER = 7.2   # at 12 px, on the wide side: boxes that do not overlap, letters that do not either


class Log:
    """A logarithmic axis over [low, high] with ticks at 1, 2 and 5."""

    def __init__(self, values, label):
        self.label = label
        self.low, self.high = min(values) * 0.8, max(values) * 1.25
        self.ticks = [m * 10.0**e for e in range(-4, 6) for m in (1, 2, 5) if self.low <= m * 10.0**e <= self.high]
        if len(self.ticks) > 9:
            self.ticks = [t for t in self.ticks if math.isclose(math.log10(t), round(math.log10(t)), abs_tol=1e-9)]

    def place(self, value):
        return math.log(value / self.low) / math.log(self.high / self.low)


class Linear:
    """A linear axis over [low, high], low and high among its ticks."""

    def __init__(self, values, label, step, low=None):
        self.label = label
        self.low = math.floor(min(values) / step) * step if low is None else low
        self.high = math.ceil(max(values) / step) * step
        self.ticks = [self.low + i * step for i in range(round((self.high - self.low) / step) + 1)]

    def place(self, value):
        return (value - self.low) / (self.high - self.low)


class Categories:
    """Names or numbers side by side, the same distance apart."""

    def __init__(self, names, label):
        self.label, self.ticks = label, list(names)

    def place(self, value):
        return (self.ticks.index(value) + 0.5) / len(self.ticks)


def number(value):
    return f"{value:g}"


def marker(shape, x, y, colour):
    if shape == "square":
        return f'<rect x="{x - 3.5:.1f}" y="{y - 3.5:.1f}" width="7" height="7" fill="{colour}"/>'
    if shape == "diamond":
        return f'<path d="M{x:.1f} {y - 5:.1f}l5 5l-5 5l-5 -5z" fill="{colour}"/>'
    if shape == "ring":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="none" stroke="{colour}" stroke-width="2"/>'
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>'


def overlap(a, b):
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def place_labels(points, frame):
    """Where each label of [(x, y, text)] stands, as [(x, y of the baseline)]: near its point, clear of the frame, of all
    points and of the labels before it."""
    taken = [(x - 5, y - 5, x + 5, y + 5) for x, y, _ in points]
    places = []
    for x, y, text in points:
        if not text:
            places.append((x, y))
            continue
        w, best = len(text) * WIDTH_OF_A_LETTER, None
        # Right, left, above, below, then further and further away.
        offsets = [(8, 4), (-8 - w, 4), (-w / 2, -8), (-w / 2, 17), (6, -6), (6, 15), (-6 - w, -6), (-6 - w, 15)]
        offsets += [(dx + side * w, dy) for far in range(20, 90, 7) for dy in (-far, far + 8) for dx, side in ((-4, 0), (4, -1), (0, -0.5), (14, 0), (-14, -1))]
        for dx, dy in offsets:
            box = (x + dx, y + dy - 11, x + dx + w, y + dy + 3)
            inside = box[0] >= frame[0] + 2 and box[2] <= frame[2] - 2 and box[1] >= frame[1] + 2 and box[3] <= frame[3] - 2
            if inside and not any(overlap(box, other) for other in taken):
                best = (x + dx, y + dy, box)
                break
        if best is None:
            best = (x + 8, y + 4, (x + 8, y - 7, x + 8 + w, y + 7))
        taken.append(best[2])
        places.append(best[:2])
    return places


class Panel:
    """One pair of axes with lines [(name, [(x, y)], look)] and points [(name, x, y, look)]; a look is (colour, marker, dash)."""

    def __init__(self, title, x, y, lines=(), points=()):
        self.title, self.x, self.y, self.lines, self.points = title, x, y, list(lines), list(points)

    def draw(self, left, top, width, height):
        x0, y0, x1, y1 = left + 52, top + 28, left + width - 14, top + height - 44
        across = lambda v: x0 + self.x.place(v) * (x1 - x0)  # noqa: E731
        up = lambda v: y1 - self.y.place(v) * (y1 - y0)  # noqa: E731
        out = [f'<text class="title" x="{x0:.1f}" y="{top + 18:.1f}">{escape(self.title)}</text>']
        for tick in self.y.ticks:
            out.append(f'<line class="grid" x1="{x0:.1f}" x2="{x1:.1f}" y1="{up(tick):.1f}" y2="{up(tick):.1f}"/>'
                       f'<text class="small" text-anchor="end" x="{x0 - 6:.1f}" y="{up(tick) + 4:.1f}">{number(tick)}</text>')
        for tick in self.x.ticks:
            if not isinstance(self.x, Categories):
                out.append(f'<line class="grid" y1="{y0:.1f}" y2="{y1:.1f}" x1="{across(tick):.1f}" x2="{across(tick):.1f}"/>')
            text = tick if isinstance(tick, str) else number(tick)
            out.append(f'<text class="small" text-anchor="middle" x="{across(tick):.1f}" y="{y1 + 16:.1f}">{escape(text)}</text>')
        out.append(f'<rect class="frame" x="{x0:.1f}" y="{y0:.1f}" width="{x1 - x0:.1f}" height="{y1 - y0:.1f}"/>')
        out.append(f'<text class="small" text-anchor="middle" x="{(x0 + x1) / 2:.1f}" y="{y1 + 34:.1f}">{escape(self.x.label)}</text>')
        out.append(f'<text class="small" text-anchor="middle" transform="translate({left + 12:.1f} {(y0 + y1) / 2:.1f}) rotate(-90)">{escape(self.y.label)}</text>')
        for _, values, (colour, shape, dash) in self.lines:
            if len(values) > 1:
                way = "M" + "L".join(f"{across(x):.1f} {up(y):.1f}" for x, y in values)
                dashes = f' stroke-dasharray="{dash}"' if dash else ""
                out.append(f'<path d="{way}" fill="none" stroke="{COLOURS[colour]}" stroke-width="1.8"{dashes}/>')
            if shape:
                out += [marker(shape, across(x), up(y), COLOURS[colour]) for x, y in values]
        spots = [(across(x), up(y), name) for name, x, y, _ in self.points]
        for (x, y, _), (_, _, _, (colour, shape, _)) in zip(spots, self.points):
            out.append(marker(shape, x, y, COLOURS[colour]))
        for (x, y, name), (at, baseline) in zip(spots, place_labels(spots, (x0, y0, x1, y1))):
            if not name:
                continue
            middle = at + len(name) * WIDTH_OF_A_LETTER / 2
            if math.hypot(max(0, abs(middle - x) - len(name) * WIDTH_OF_A_LETTER / 2), baseline - 4 - y) > 16:
                out.append(f'<line class="frame" x1="{x:.1f}" y1="{y:.1f}" x2="{middle:.1f}" y2="{baseline - 4 + (8 if baseline - 4 < y else -8):.1f}"/>')
            out.append(f'<text x="{at:.1f}" y="{baseline:.1f}">{escape(name)}</text>')
        return out


def figure(title, panels, columns, legend=(), panel_width=460, panel_height=300):
    """The SVG text. `legend`: [(name, look)], drawn under the title in as many rows as it needs."""
    width = columns * panel_width + 20
    out, x, y = [], 20, 50
    for name, (colour, shape, dash) in legend:
        length = 40 + len(name) * WIDTH_OF_A_LETTER + 14
        if x + length > width - 10:
            x, y = 20, y + 20
        if dash is not None:
            dashes = f' stroke-dasharray="{dash}"' if dash else ""
            out.append(f'<line x1="{x}" x2="{x + 30}" y1="{y - 4}" y2="{y - 4}" stroke="{COLOURS[colour]}" stroke-width="1.8"{dashes}/>')
        if shape:
            out.append(marker(shape, x + 15, y - 4, COLOURS[colour]))
        out.append(f'<text x="{x + 36}" y="{y}">{escape(name)}</text>')
        x += length
    top = y + 14 if legend else 36
    for i, panel in enumerate(panels):
        out += panel.draw(10 + i % columns * panel_width, top + i // columns * panel_height, panel_width, panel_height)
    height = top + -(-len(panels) // columns) * panel_height + 8
    head = (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height:.0f}" width="{width}" height="{height:.0f}" role="img">\n'
            f"<title>{escape(title)}</title>\n{STYLE}\n"
            f'<rect class="card" x="0.5" y="0.5" width="{width - 1}" height="{height - 1:.0f}" rx="6"/>\n'
            f'<text class="title" x="20" y="26">{escape(title)}</text>\n')
    return head + "\n".join(out) + "\n</svg>\n"
