"""The token's own time: `python -m benchmarks.raw_sign MODULE TOKEN KEY MECHANISM COUNT`, the PIN on standard input.

Signs one after the other in one session, and prints the seconds by the clock and of processor time.
"""

import os
import sys
import time
from typing import Any

import pkcs11


def main() -> None:
    """One signature goes before, uncounted: the first call reads the key."""
    module, token, label, mechanism, count = sys.argv[1:]
    by = pkcs11.Mechanism[mechanism]
    octets = os.urandom(48 if by is pkcs11.Mechanism.ECDSA else 500)
    with pkcs11.lib(module).get_token(token_label=token).open(user_pin=sys.stdin.read()) as session:
        # Its stubs give no class to what is made at run time.
        key: Any = session.get_key(object_class=pkcs11.ObjectClass.PRIVATE_KEY, label=label)
        key.sign(octets, mechanism=by)
        wall, processor = time.perf_counter(), time.process_time()
        for _ in range(int(count)):
            key.sign(octets, mechanism=by)
        print(time.perf_counter() - wall, time.process_time() - processor)


if __name__ == "__main__":
    main()
