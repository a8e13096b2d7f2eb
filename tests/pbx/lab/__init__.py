"""A real Asterisk 22 on this machine, and a world that rings it. Five words:

    root    a small Debian with Asterisk in it, run by chroot       root.py
    pair    two Asterisks: the PBX, and the world round it          pair.py, trees.py, place.py
    lab     the pair as a test sees it: who calls, who answers      lab.py, ami.py
    truth   what Asterisk itself wrote down                         truth.py
    tape    what it said on AMI meanwhile                           scenes.py, tapes.py

Nothing of the product is used here, so that what the lab proves is proven independently.
"""

from tests.pbx.lab.lab import Call, Lab
from tests.pbx.lab.pair import Pair
from tests.pbx.lab.root import Missing, missing

__all__ = ["Call", "Lab", "Missing", "Pair", "missing"]
