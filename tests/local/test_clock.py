"""WorkMail's time, whatever happens to the wall clock."""

from __future__ import annotations

from dataclasses import dataclass

from workmail_local.clock import Clock


@dataclass
class Clocks:
    """The two clocks of a machine, moved by hand."""

    wall: float = 1_000_000.0
    steady: float = 50.0

    def pass_time(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds


def test_setting_the_wall_clock_neither_stops_time_nor_moves_it() -> None:
    machine = Clocks()
    clock = Clock(wall=lambda: machine.wall, steady=lambda: machine.steady)
    since = clock.now()
    assert since == 1_000_000.0
    for change in (-86_400.0, 7 * 86_400.0):
        before = clock.age(since)
        machine.wall += change
        assert clock.age(since) == before
        machine.pass_time(60)
        assert clock.age(since) == before + 60


def test_a_time_that_a_run_with_a_later_clock_stored_is_now() -> None:
    machine = Clocks()
    clock = Clock(60.0, wall=lambda: machine.wall, steady=lambda: machine.steady)
    assert clock.age(machine.wall + 3_600) == 0
    assert clock.age(machine.wall - 3_600) == 60 * 3_600


def test_the_real_clocks_go_on() -> None:
    clock = Clock()
    assert clock.age(clock.now() - 1) >= 1
