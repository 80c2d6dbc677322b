#!/usr/bin/env -S python3 -B
"""Unpacks a Linux kernel: vmlinux.py VMLINUZ VMLINUX. The x86 boot protocol says where it lies."""

import gzip
import lzma
import struct
import sys

SECTOR = 512
METHODS = {b"\xfd7zXZ\0": lzma.decompress, b"\x1f\x8b": gzip.decompress}


def payload(image):
    """The compressed kernel: offset and length count from behind the real-mode sectors."""
    sectors = image[0x1F1] or 4
    offset, length = struct.unpack_from("<II", image, 0x248)
    begin = (sectors + 1) * SECTOR + offset
    return image[begin : begin + length]


def main(source, target):
    with open(source, "rb") as file:
        packed = payload(file.read())
    for magic, unpack in METHODS.items():
        if packed.startswith(magic):
            # 4 bytes follow that say how long the kernel is
            kernel = lzma.LZMADecompressor().decompress(packed) if unpack is lzma.decompress else unpack(packed[:-4])
            break
    else:
        sys.exit(f"{source}: packed in an unknown way: {packed[:6]!r}")
    if not kernel.startswith(b"\x7fELF"):
        sys.exit(f"{source}: no ELF file inside")
    with open(target, "wb") as file:
        file.write(kernel)


main(*sys.argv[1:])
