"""The app when something goes otherwise: a failure, an alternate, a teardown while the loop speaks, a terminal too small."""

import asyncio
import contextlib
import dataclasses
import threading

import msgspec
import pytest
from textual.widgets import Input
from textual.worker import WorkerFailed

from ceremony.engine.step import Face, Notice
from ceremony.tui.app import CeremonyApp
from ceremony.tui.dialogs import End
from tests.faces import fake_ceremony as fake
from tests.faces.driving import Driver, drive

ORDER_WORDS = fake.ORDER.accept or ""


@pytest.mark.parametrize("stray", [False, True], ids=["worker", "callback"])
def test_a_failure_outside_the_handlers_is_kept_and_says_nothing_by_itself(stray: bool, capfd: pytest.CaptureFixture[str]) -> None:
    kept: list[str] = []

    async def fail() -> None:
        int("7391846205x")

    async def play(driver: Driver) -> None:
        await driver.until("Are you here?")
        if stray:
            asyncio.get_running_loop().call_soon(int, "7391846205x")
        else:
            driver.app.run_worker(fail())
        await driver.until_true(lambda: driver.app.failures != [])
        kept.extend(type(failure).__name__ for failure in driver.app.failures)

    conduct = fake.FakeCeremony([fake.step(1), fake.ROLL_CALL])
    with contextlib.nullcontext() if stray else pytest.raises(WorkerFailed):
        drive(conduct, play)
    assert kept == ["ValueError"]
    assert "7391846205" not in "".join(capfd.readouterr())


def test_names_are_those_of_the_moment() -> None:
    people = dict(fake.PEOPLE)
    alternate = ("Dag Moe", "witness")
    second = msgspec.structs.replace(fake.ROLL_CALL, key="present/witness-1", by="witness-1")

    def stand_in(face: Face) -> None:
        people["witness-1"] = alternate

    async def play(driver: Driver) -> None:
        await driver.until("Are you here?")
        await driver.press("f2")
        await driver.until("3 Carmen Díaz (witness)")
        await driver.press("escape")
        await driver.type("present")
        await driver.until("Dag Moe (witness): Are you here?")
        await driver.press("f2")
        await driver.until("> 1 Dag Moe (witness)")
        assert "Carmen" not in driver.frame()

    heading = dataclasses.replace(fake.heading(), people=people)
    drive(fake.FakeCeremony([fake.step(1), fake.ROLL_CALL, stand_in, second]), play, heading=heading)


def test_nothing_waits_behind_the_last_screen() -> None:
    def lock(face: Face) -> None:
        face.tell(Notice(kind="working", lines=("Waiting: lock",)))

    async def play(driver: Driver) -> None:
        await driver.until("The ceremony is done.")
        driver.app._conducting._tick()
        assert "PLEASE WAIT" not in await driver.still()

    drive(fake.FakeCeremony([fake.step(14), lock]), play)


def test_what_the_loop_says_while_the_screen_is_torn_down_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    torn_down = threading.Event()
    close_all = CeremonyApp._close_all

    async def close_all_and_let_the_loop_go_on(app: CeremonyApp[str]) -> None:
        for part in list(app._conducting.children):
            await part.remove()
        torn_down.set()
        await asyncio.sleep(0.2)
        app._conducting._tick()
        app._conducting._draw_steps()
        await close_all(app)

    def work(face: Face) -> None:
        face.tell(Notice(kind="working", lines=("Generating",)))
        torn_down.wait(10)
        face.tell(Notice(kind="working", lines=("Locking",)))

    async def play(driver: Driver) -> None:
        await driver.until("PLEASE WAIT")

    monkeypatch.setattr(CeremonyApp, "_close_all", close_all_and_let_the_loop_go_on)
    app = drive(fake.FakeCeremony([fake.step(6), work]), play)
    assert app.outcome() == fake.FINGERPRINT


def test_a_terminal_too_small_is_covered_and_the_question_stays_open() -> None:
    conduct = fake.FakeCeremony([fake.step(7), fake.ORDER])

    async def play(driver: Driver) -> None:
        box = driver.app.query_one("#answer", Input)
        await driver.until("Read to the last line first")
        await driver.pilot.resize_terminal(200, 23)
        frame = await driver.until("make it 80x24")
        assert "REHEARSAL" in frame and "ORDER" not in frame
        await driver.pilot.resize_terminal(40, 60)
        await driver.press("enter", "escape", "f10", "ctrl+q")
        assert "make it 80x24" in await driver.still()
        assert box.disabled, "under the cover nobody has read to the last line"
        await driver.pilot.resize_terminal(80, 24)
        await driver.until("Read to the last line first")
        await driver.pilot.resize_terminal(80, 60)
        await driver.until("Difference to the last of its kind: this is the first")
        await driver.type(ORDER_WORDS)
        await driver.until("The ceremony is done.")

    drive(conduct, play)
    assert conduct.answers == [("order", ORDER_WORDS, "officer")]


def test_the_end_in_a_terminal_too_small_is_shown_once_it_is_large_enough() -> None:
    go_on = threading.Event()

    async def play(driver: Driver) -> None:
        await driver.until("Step 6")
        await driver.pilot.resize_terminal(79, 24)
        await driver.until("make it 80x24")
        go_on.set()
        await driver.until_true(lambda: any(isinstance(screen, End) for screen in driver.app.screen_stack))
        await driver.press("enter")
        assert "make it 80x24" in await driver.still()
        await driver.pilot.resize_terminal(80, 24)
        await driver.until("The ceremony is done.")
        await driver.press("enter")

    def work(face: Face) -> None:
        go_on.wait(10)

    drive(fake.FakeCeremony([fake.step(6), work]), play)
