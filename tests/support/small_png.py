"""PNG files of a few pixels, written and read without any library."""

import struct
import zlib


def _chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def encode_rgb(width, height, pixel):
    """`pixel(x, y)` gives (red, green, blue)."""
    rows = b"".join(b"\0" + b"".join(bytes(pixel(x, y)) for x in range(width)) for y in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(rows)) + _chunk(b"IEND", b"")


def encode_header_bomb(width, height, kind=2):
    """A file that claims width x height pixels and holds a few kilobytes: rows of zeros, compressed."""
    bytes_of_row = 1 + width * {0: 1, 2: 3, 3: 1, 6: 4}[kind]
    packer = zlib.compressobj(9)
    data = packer.compress(bytes(min(bytes_of_row * 4, 1 << 20))) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)
    palette = _chunk(b"PLTE", bytes(768)) if kind == 3 else b""
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + palette + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def encode_bomb(width, height):
    """width x height grey pixels, all of them there: zeros compress a thousandfold."""
    packer = zlib.compressobj(9)
    rows = bytes((1 + width) * 16)
    parts = [packer.compress(rows[: (1 + width) * min(16, height - y)]) for y in range(0, height, 16)]
    data = b"".join(parts) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def decode_indexed(data):
    """(width, height, rows of indices, palette) of an 8-bit file with a palette."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n", "no PNG"
    at, packed, palette = 8, b"", []
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        body = data[at + 8 : at + 8 + size]
        assert struct.unpack(">I", data[at + 8 + size : at + 12 + size])[0] == zlib.crc32(kind + body), f"{kind}: wrong checksum"
        if kind == b"IHDR":
            width, height, depth, color = struct.unpack(">IIBB", body[:10])
        elif kind == b"PLTE":
            palette = [tuple(body[i : i + 3]) for i in range(0, size, 3)]
        elif kind == b"IDAT":
            packed += body
        at += 12 + size
    assert (depth, color) == (8, 3), f"depth {depth}, colour type {color}: not 8-bit indexed"
    raw, rows, before = zlib.decompress(packed), [], bytearray(width)
    for y in range(height):
        line = raw[y * (width + 1) : (y + 1) * (width + 1)]
        row = bytearray(line[1:])
        for x in range(width):
            left, up = row[x - 1] if x else 0, before[x]
            corner = before[x - 1] if x else 0
            if line[0] == 1:
                add = left
            elif line[0] == 2:
                add = up
            elif line[0] == 3:
                add = (left + up) // 2
            elif line[0] == 4:
                guess = left + up - corner
                add = min((left, up, corner), key=lambda value: abs(guess - value))
            else:
                add = 0
            row[x] = row[x] + add & 255
        rows.append(bytes(row))
        before = row
    return width, height, rows, palette
