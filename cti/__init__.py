"""Joins an Asterisk PBX to the work of a customer-service department. The words of the code:

    call        everything that happens to one customer contact on the phone,
                over all legs, transfers and rings                            cti.calls
    leg         one channel of a call                                         cti.calls.book
    offer       one agent's phone asked to take one call, with its own
                ring time and outcome                                         cti.calls.book
    ring        one burst of the ringing cadence, counted from the first       cti.calls.rings
    missed call an inbound call that no person answered, with one reason      cti.calls.judge
    incident    the missed calls, fault or deed that are decided together     cti.penalties
    line        what an incident may cost one person, once decided            cti.penalties
    duty        who should serve the hotline at an instant, and who does      cti.duty
    state       what somebody on the phone was doing, from when to when       cti.presence
    callback    a call that the house owes a customer                         cti.callbacks
    attempt     one dialling by the program, committed before it is sent      cti.dials
    recording   one audio file of one call                                    recordings
    sample      a recording drawn by chance, to be scored                     cti.quality
    line test   a call to the house's own number, to see that it arrives      cti.lines
    policy      the house's rules as loaded, by version                       cti.policy
    desk        does what its store says is due, a transaction each           cti.penalties.desk
    event       what the PBX told us, past tense                              cti.pbx.events
    effect      what must be done about a call, imperative                    cti.calls.effects
    push        a numbered hint to a screen to look again                     cti.web.push
    house       one business with its rules, hours and people                 cti.house
    person      somebody who works for the house: agent, supervisor, ...      cti.people
    customer    somebody who calls, with one or more phones                   cti.customers

Read in this order: docs/flow.md, pbx/events, calls/book, calls/effects, calls/switchboard,
tests/calls/test_book; then penalties/rules, penalties/desk, office.
"""

__version__ = "0.4.0"
