"""A simulated PBX: an AMI server in Python, for the demo and for quick tests.

    sim = Simulator(secret="...", systemname="...")
    async with sim.running() as (host, port):
        sim.phone("6001").answers_after(4)
        call = await sim.customer_calls(number="13800138000", name="王小明", to="4000", talk=20)
        await call.ended()

With `speed=0` its time stands still, and `await sim.passes(30)` moves it at once and exactly.

What it tells is judged against recorded streams (tests/simulator/test_streams.py). What it does
not play: classes dialplan, cdr, dtmf, reporting and security (no VarSet, Newexten, CEL, RTCP),
Local channels, attended transfer, pickup, parking, hold, wrap-up, penalties, early media, forwards
by the phone, MD5 login, filters and TLS. Its events do not overtake each other, as Asterisk's do.

    time        when things happen, and the lives that wait           channels    what there is
    words       what is said to a call                                legs        what all calls do
    calls       how calls begin, Dial, the guard                      queues      Queue
    ami         sessions, login, masks, frames                        actions     what can be asked
    simulator   the PBX, its phones and customers                     day         who rings today
"""

from cti.pbx.simulator.ami import Account
from cti.pbx.simulator.day import Day, Guest, Ringing
from cti.pbx.simulator.simulator import CustomerCall, Party, Phone, QueueSetup, Simulator
from cti.pbx.simulator.words import Habit, Line

__all__ = [
    "Account",
    "CustomerCall",
    "Day",
    "Guest",
    "Habit",
    "Line",
    "Party",
    "Phone",
    "QueueSetup",
    "Ringing",
    "Simulator",
]
