# SPDX-License-Identifier: BSD-3-Clause
"""A link of a stated rate and round trip between two network namespaces. Needs root."""
import contextlib
import subprocess
import uuid

EDGE, CLOUD = "10.77.0.1", "10.77.0.2"


class Link:
    """Two namespaces with one address each and narrows_shaper between them; `with` takes them away again."""

    def __init__(self, shaper, bits_per_s, rtt_s):
        tag = uuid.uuid4().hex[:6]
        self.edge, self.cloud = f"nrw{tag}e", f"nrw{tag}c"
        self.shaper = None
        self.program = str(shaper)
        self.start = (bits_per_s, rtt_s)

    def __enter__(self):
        with contextlib.ExitStack() as undo:
            undo.callback(self.__exit__)
            for name in (self.edge, self.cloud):
                subprocess.run(["ip", "netns", "add", name], check=True)
            self.shaper = subprocess.Popen([self.program, self.edge, self.cloud, *self._settings(*self.start)], stdin=subprocess.PIPE,
                                           stdout=subprocess.PIPE, text=True)
            if self.shaper.stdout.readline() != "ready\n":
                raise RuntimeError("narrows_shaper did not start: it needs root, and /dev/net/tun")
            for name, own in ((self.edge, EDGE), (self.cloud, CLOUD)):
                # TCP's window begins wide and stays so: what is measured is the link, not how TCP feels its way into it.
                for command in (["addr", "add", f"{own}/24", "dev", "nrw0"], ["link", "set", "nrw0", "up"], ["link", "set", "lo", "up"],
                                ["route", "change", f"{EDGE.rpartition('.')[0]}.0/24", "dev", "nrw0", "src", own, "initcwnd", "512", "initrwnd", "512"]):
                    subprocess.run(["ip", "-n", name, *command], check=True)
                subprocess.run(self.inside(name, ["sysctl", "-q", "-w", "net.ipv4.tcp_slow_start_after_idle=0", "net.ipv4.tcp_rmem=4096 4194304 8388608",
                                                  "net.ipv4.tcp_wmem=4096 4194304 8388608"]), check=True)
            undo.pop_all()
        return self

    def __exit__(self, *_):
        if self.shaper:
            self.shaper.stdin.close()
            self.shaper.wait(10)
        for name in (self.edge, self.cloud):
            subprocess.run(["ip", "netns", "del", name], stderr=subprocess.DEVNULL)

    @staticmethod
    def _settings(bits_per_s, rtt_s):
        return f"{bits_per_s:.0f}", f"{rtt_s / 2 * 1e6:.0f}"

    def set(self, bits_per_s, rtt_s):
        """From now on; half the round trip is each way's delay."""
        self.shaper.stdin.write(" ".join(self._settings(bits_per_s, rtt_s)) + "\n")
        self.shaper.stdin.flush()

    def inside(self, name, command):
        return ["ip", "netns", "exec", name, *command]
