"""System calls that code in a sandbox has no use for, refused by the kernel: a small BPF program."""

import platform
import struct
from typing import Final

_LOAD, _EQUAL, _SET, _ABOVE, _RETURN = 0x20, 0x15, 0x45, 0x35, 0x06
_ALLOW: Final = 0x7FFF0000
_ERRNO: Final = 0x00050000
_EPERM, _ENOSYS, _EAFNOSUPPORT = 1, 38, 97
#: Offsets in the kernel's record of a call; arguments are 64 bits wide, low half first here.
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
#: The bits of clone() that ask for namespaces.
_NAMESPACES: Final = 0x7E020000
_UNIX, _INET, _INET6 = 1, 2, 10

#: By machine: its name for the kernel, then the numbers of clone, clone3 and socket, then those of
#: what is refused: other processes' memory, keys, mounts, namespaces, kernel modules, BPF, io_uring,
#: tracing, and memory that belongs to no process (memfd, System V), which nothing would count.
_MACHINES: Final = {
    "x86_64": (
        0xC000003E,
        (56, 435, 41),
        (
            *(29, 30, 31, 64, 65, 66, 67, 68, 69, 70, 71, 101, 103, 134, 135, 139, 153, 154, 155),
            *(156, 159, 161, 163, 164, 165, 166, 167, 168, 169, 170, 171, 172, 173, 174, 175, 176),
            *(177, 178, 179, 180, 212, 227, 237, 238, 239, 246, 248, 249, 250, 256, 272, 279, 298),
            *(300, 301, 303, 304, 305, 308, 310, 311, 312, 313, 319, 320, 321, 323, 425, 426, 427),
            *(428, 429, 430, 431, 432, 433, 438, 442, 447),
        ),
    ),
    "aarch64": (
        0xC00000B7,
        (220, 435, 198),
        (
            *(
                18,
                39,
                40,
                41,
                42,
                51,
                58,
                60,
                89,
                92,
                97,
                104,
                105,
                106,
                112,
                116,
                117,
                142,
                161,
                162,
            ),
            *(170, 171, 186, 187, 188, 189, 190, 191, 192, 193, 194, 195, 196, 197, 217, 218, 219),
            *(
                224,
                225,
                235,
                236,
                237,
                238,
                239,
                241,
                262,
                263,
                264,
                265,
                266,
                268,
                270,
                271,
                272,
                273,
                279,
            ),
            *(280, 282, 294, 425, 426, 427, 428, 429, 430, 431, 432, 433, 438, 442, 447),
        ),
    ),
}


def program() -> bytes | None:
    """Return the filter for this machine as bubblewrap takes it; None for one that is not known."""
    known = _MACHINES.get(platform.machine())
    if known is None:
        return None
    machine, (clone, clone3, socket), refused = known
    refuse = _ERRNO | _EPERM
    steps = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, machine),
        (_RETURN, 0, 0, refuse),
        (_LOAD, 0, 0, _NUMBER),
        # The second set of numbers that x86-64 has would pass all of the following by.
        (_ABOVE, 0, 1, 0x40000000),
        (_RETURN, 0, 0, refuse),
    ]
    for number in refused:
        steps += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, refuse)]
    # Its flags lie in memory, where no filter looks: libraries fall back to clone.
    steps += [(_EQUAL, 0, 1, clone3), (_RETURN, 0, 0, _ERRNO | _ENOSYS)]
    steps += [
        (_EQUAL, 0, 4, clone),
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
        (_SET, 0, 1, _NAMESPACES),
        (_RETURN, 0, 0, refuse),
        (_RETURN, 0, 0, _ALLOW),
        (_EQUAL, 0, 5, socket),
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
        (_EQUAL, 3, 0, _UNIX),
        (_EQUAL, 2, 0, _INET),
        (_EQUAL, 1, 0, _INET6),
        (_RETURN, 0, 0, _ERRNO | _EAFNOSUPPORT),
        (_RETURN, 0, 0, _ALLOW),
    ]
    return b"".join(struct.pack("<HBBI", *step) for step in steps)
