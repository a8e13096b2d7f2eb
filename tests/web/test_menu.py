from cti.people.rules import Right
from cti.web.menu import Entry, Place, entries
from tests.kit.web import LIN, MAY, TAM

DUTY = Place(path="/duty", key="duty", rights=(Right.REVIEW,))
MINE = Place(path="/duty/mine", key="mine", rights=(Right.OWN_WORK,))
RULES = Place(path="/house", key="rules", rights=(Right.REVIEW,), seldom=True)
PLACES = (DUTY, MINE, RULES)


def test_everybody_sees_the_pages_of_their_rights_in_order_and_help_last() -> None:
    assert ["/agent", "/duty/mine", "/help"] == [one.path for one in entries(MAY, "/", PLACES)]
    assert ["/live", "/help"] == [one.path for one in entries(TAM, "/", PLACES)]


def test_the_nearest_page_above_is_the_one_where_one_is() -> None:
    def here(path: str) -> list[str]:
        return [one.path for one in entries(LIN, path, PLACES) if one.here]

    assert ["/duty"] == here("/duty/requests")
    assert ["/duty/mine"] == here("/duty/mine")
    assert [] == here("/dutyfree")


def test_what_is_seldom_needed_is_marked() -> None:
    seldom = [one for one in entries(LIN, "/house", PLACES) if one.seldom]

    assert [
        Entry("/house", "rules", seldom=True, here=True),
        Entry("/help", "nav.help", seldom=True, here=False),
    ] == seldom
