"""Frames on a stream: whole, in order, however the stream cuts them."""

import random
import socket

from aibench.world.frames import Frame, Kind, Wire


def test_any_cuts() -> None:
    """Frames of any size come out as they went in, however few bytes arrive at a time."""
    chance = random.Random(8)
    sizes = [0, 1, *(chance.randrange(3000) for _ in range(40)), 300_000]
    chance.shuffle(sizes)
    kinds = list(Kind)
    sent = [
        Frame(kinds[number % len(kinds)], number, 2**63 + number, chance.randbytes(size))
        for number, size in enumerate(sizes)
    ]
    data = b"".join(frame.packed() for frame in sent)
    near, far = socket.socketpair()
    wire, got, place = Wire(far), [], 0
    while len(got) < len(sent):
        step = chance.choice((1, 5, 21, 22, 4000, 70_000))
        near.sendall(data[place : place + step])
        place += step
        got += wire.receive()
    assert got == sent
    assert wire.is_open
    near.close()
    assert wire.receive() == []
    assert not wire.is_open
    wire.close()


def test_a_reader_that_is_late() -> None:
    """What the other end does not take yet waits, in order, and the sender goes on."""
    near, far = map(Wire, socket.socketpair())
    frames = [Frame(Kind.GATHER, number, body=bytes(100_000)) for number in range(30)]
    for frame in frames:
        near.send(frame)
    assert not near.is_flushed
    got: list[Frame] = []
    while len(got) < len(frames):
        got += far.receive()
        near.flush()
    assert got == frames
    assert near.is_flushed
    far.close()
    near.send(frames[0])
    near.send(frames[1])
    assert near.is_flushed  # nobody is there to read it
    assert near.receive() == []
    assert not near.is_open
    near.close()
