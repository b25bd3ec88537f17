"""Bytes that no client sends, against a Siltstone server: `bad_bytes.py HOST:PORT [SECONDS]`.

Every connection must end with an answer or be closed, and meanwhile another one must get its
answers as if nothing happened.
"""

import random
import socket
import struct
import sys
import threading
import time

KEYS = {0: 11, 1: 17, 2: 9, 3: 12, 18: 4, 19: 7, 20: 6, 22: 5, 32: 4}


def connect(address):
    host, port = address.rsplit(":", 1)
    connection = socket.create_connection((host, int(port)), 10)
    connection.settimeout(10)
    return connection


def frame(body):
    return struct.pack(">i", len(body)) + body


def header(key, version, correlation=1):
    return struct.pack(">hhih", key, version, correlation, -1)


def receive(connection, count):
    received = b""
    while len(received) < count:
        piece = connection.recv(count - len(received))
        if not piece:
            raise EOFError
        received += piece
    return received


def answer(connection):
    (length,) = struct.unpack(">i", receive(connection, 4))
    return receive(connection, length)


def pipelined_start(address):
    """What kafka-python 2.0.2 does first: ApiVersions and Metadata of all topics at once."""
    with connect(address) as connection:
        connection.sendall(frame(header(18, 0, 1)) + frame(header(3, 0, 2) + struct.pack(">i", 0)))
        assert answer(connection)[:6] == struct.pack(">ih", 1, 0), "ApiVersions v0 is answered first"
        assert answer(connection)[:4] == struct.pack(">i", 2), "then Metadata v0"


def unknown_version(address):
    with connect(address) as connection:
        connection.sendall(frame(header(18, 99, 7) + b"\0" * 20))
        assert answer(connection) == struct.pack(">ihihhh", 7, 35, 1, 18, 0, 4), "the v0 answer"


def is_closed_after(address, data):
    with connect(address) as connection:
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass
        except (ConnectionError, BrokenPipeError):
            pass
    return True


def lies(address):
    is_closed_after(address, struct.pack(">i", -1))
    is_closed_after(address, struct.pack(">i", 0))
    is_closed_after(address, struct.pack(">i", 2_000_000_000))
    is_closed_after(address, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    # The produce request whose topic count asks for 206 GB.
    is_closed_after(address, frame(header(0, 3) + struct.pack(">hhii", -1, 1, 1000, 2**31 - 1)))
    is_closed_after(address, frame(header(3, 8) + struct.pack(">i", 2_000_000_000)))


def noise(address, until):
    random_bytes = random.Random(7)
    count = 0
    while time.monotonic() < until:
        key = random_bytes.choice(list(KEYS))
        body = header(key, random_bytes.randint(0, KEYS[key]))
        body += bytes(random_bytes.choice((0, 0, 1, 2, 255, random_bytes.randrange(256))) for _ in range(random_bytes.randrange(120)))
        is_closed_after(address, frame(body))
        count += 1
    return count


def stalled(address, count=50):
    """Connections that claim a hundred megabytes and say no more."""
    connections = [connect(address) for _ in range(count)]
    for connection in connections:
        connection.sendall(struct.pack(">i", 100 << 20) + b"\0" * 200_000)
    return connections


def main():
    address = sys.argv[1]
    until = time.monotonic() + float(sys.argv[2] if len(sys.argv) > 2 else 5)
    slowest = 0.0
    stop = threading.Event()

    def bystander():
        nonlocal slowest
        with connect(address) as connection:
            while not stop.is_set():
                start = time.monotonic()
                connection.sendall(frame(header(3, 1) + struct.pack(">i", 0)))
                answer(connection)
                slowest = max(slowest, time.monotonic() - start)
                time.sleep(0.01)

    watch = threading.Thread(target=bystander)
    watch.start()
    try:
        pipelined_start(address)
        unknown_version(address)
        lies(address)
        held = stalled(address)
        count = noise(address, until)
        for connection in held:
            connection.close()
        pipelined_start(address)
    finally:
        stop.set()
        watch.join()
    print(f"ok: {count} connections of noise, slowest answer to a bystander {slowest * 1000:.0f} ms")
    if slowest > 2:
        sys.exit("FAILED: a bystander waited too long")


main()
