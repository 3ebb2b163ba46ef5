"""Another library reads the PDF: every fact of a record stands in it."""

from pathlib import Path

from ceremony.report.record import read_record
from ceremony.report.rendering import PDF
from ceremony.transcript import read_lines
from tests.e2e.commands import last_bundle, rehearsed
from tests.report.facts import facts_of
from tests.report.pdf import running_text, solid


def test_every_fact_of_a_whole_ceremony_stands_in_the_pdf_of_its_bundle(tmp_path: Path) -> None:
    ended = rehearsed("first-ceremony", tmp_path / "D")
    assert ended.code == 0, ended
    bundle = last_bundle(tmp_path / "D")
    lines, _ = read_lines((bundle / "record/transcript.jsonl").read_bytes())
    record = read_record((bundle / "record/script.toml").read_bytes(), lines)
    text = running_text((bundle / PDF).read_bytes(), f"Fingerprint {lines[-1].sha256}", f"REHEARSAL {record.script.title}")
    facts = [*facts_of(lines)]
    assert len(facts) > 1000
    assert [fact for fact in facts if solid(fact[2]) not in text] == []
    for artifact in record.artifacts:
        assert solid(artifact.path) in text
