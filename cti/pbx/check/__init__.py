"""`cti check`: is a PBX set up as cti needs it?

point     what was looked at, how it is, what it costs, what to do       values
asked     judged by answers to actions: version, rights, guard, trunks, queues
heard     judged by the events that come while it listens: classes, timestamps
files     judged by the files in --asterisk-etc: what no session can see
account   of these, manager.conf
run       logs in, asks, listens, reads, and tells
"""

from cti.pbx.check.point import Point
from cti.pbx.check.run import check, run_check

__all__ = ["Point", "check", "run_check"]
