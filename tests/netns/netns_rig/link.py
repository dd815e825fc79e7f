"""
A link between two network namespaces, on which packets take time and get lost.

It is a program of ours between two TUN devices, and not ``tc netem``, which many kernels lack: what it loses is
decided by a seed, and it can be cut at any moment. TCP is the kernel's.
"""

from __future__ import annotations

import fcntl
import heapq
import os
import random
import select
import struct
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path

TUN = Path("/dev/net/tun")
# TUNSETIFF, IFF_TUN and IFF_NO_PI of linux/if_tun.h
_SET_INTERFACE, _IS_TUN, _NO_PACKET_INFORMATION = 0x400454CA, 0x0001, 0x1000
# Packets that may be under way in one direction; more than that are lost, as in a router.
_QUEUE = 1000
_MTU = 1500


def run(*command: str) -> None:
    """Run a command of the system; what it prints is in the error if it fails."""
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    if result.returncode:
        raise OSError(f"{' '.join(command)}: {result.stderr.strip() or result.returncode}")


class Host:
    """
    Be a network namespace with one device.

    Args:
        name: Of the namespace and of the device; at most 15 characters.
        address: Its IPv4 address.

    Attributes:
        device: Descriptor from which the packets that it sends are read, and to which those that it gets are written.

    Raises:
        OSError: The kernel or the user's rights do not allow it.
    """

    def __init__(self, name: str, address: str) -> None:
        self.name = name
        self.address = address
        self.device = os.open(TUN, os.O_RDWR | os.O_NONBLOCK)
        try:
            flags = _IS_TUN | _NO_PACKET_INFORMATION
            fcntl.ioctl(self.device, _SET_INTERFACE, struct.pack("16sH22x", name.encode(), flags))
            run("ip", "netns", "add", name)
            run("ip", "link", "set", name, "netns", name)
            run("ip", "-n", name, "address", "add", f"{address}/24", "dev", name)
            for device in ("lo", name):
                self.set_link(device, "up")
        except OSError:
            self.close()
            raise

    def set_link(self, device: str, state: str) -> None:
        """Set one of its devices up or down."""
        run("ip", "-n", self.name, "link", "set", device, state)

    @property
    def prefix(self) -> Sequence[str]:
        """Return what a command begins with that is to run there."""
        return ("ip", "netns", "exec", self.name)

    def close(self) -> None:
        """Remove it; the device goes with its descriptor."""
        os.close(self.device)
        subprocess.run(["ip", "netns", "delete", self.name], capture_output=True, check=False, timeout=30)


class Link:
    """
    Carry packets between two hosts, in a thread of its own.

    Args:
        hosts: Both ends.
        seed: Decides which packets get lost, and how long the others take.

    Attributes:
        loss: Probability with which a packet gets lost.
        delay: Shortest and longest time that a packet takes; seconds. Packets may overtake each other.
        is_cut: Whether nothing passes at all, in either direction.
        lost: Number of packets that got lost.
        carried: Number of packets that did not.
    """

    def __init__(self, hosts: tuple[Host, Host], seed: str) -> None:
        self.loss = 0.0
        self.delay = (0.0, 0.0)
        self.is_cut = False
        self.lost = self.carried = 0
        first, second = (host.device for host in hosts)
        self._peers = {first: second, second: first}
        self._dice = random.Random(seed)
        self._waiting: list[tuple[float, int, int, bytes]] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="link")
        self._thread.start()

    def close(self) -> None:
        """Carry no more."""
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        poll = select.poll()
        for device in self._peers:
            poll.register(device, select.POLLIN)
        while not self._over.is_set():
            due = self._waiting[0][0] - time.monotonic() if self._waiting else 0.1
            for device, _ in poll.poll(max(0, min(due, 0.1)) * 1000):
                self._read(device)
            self._deliver()

    def _read(self, device: int) -> None:
        """Take what a host has sent."""
        while True:
            try:
                packet = os.read(device, _MTU + 100)
            except OSError:  # there is no more, or the device is down
                return
            # What a host says to find others in its network, with IPv6, is no part of this.
            if packet[0] >> 4 != 4:
                continue
            if self.is_cut or self._dice.random() < self.loss or len(self._waiting) >= 2 * _QUEUE:
                self.lost += 1
                continue
            self.carried += 1
            due = time.monotonic() + self._dice.uniform(*self.delay)
            heapq.heappush(self._waiting, (due, self.carried, self._peers[device], packet))

    def _deliver(self) -> None:
        """Hand over what has been under way long enough."""
        while self._waiting and self._waiting[0][0] <= time.monotonic():
            _, _, device, packet = heapq.heappop(self._waiting)
            if not self.is_cut:
                try:
                    os.write(device, packet)
                except OSError:  # the device is down
                    self.lost += 1
