from runners.model.exits import NEVER_WORKED
from runners.model.incidents import INCIDENTS, ORDINARY
from runners.model.reason import Reason


def test_every_reason_is_either_an_incident_or_ordinary():
    assert set(Reason) - INCIDENTS - ORDINARY == set(), "classify it in runners/model/incidents.py"
    assert not INCIDENTS & ORDINARY


def test_a_machine_that_never_worked_is_an_incident():
    assert NEVER_WORKED <= INCIDENTS
