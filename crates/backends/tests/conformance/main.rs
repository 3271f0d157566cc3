//! Every backend keeps every rule of the seam: one entry for all of them, each against its real server, and the page of
//! what was found.
//!
//! A server comes from the environment or is started here; one that is missing fails.

#[path = "../../../store-embedded/tests/conformance/place.rs"]
mod embedded;

use std::{fs, path::Path};

use onlyonce_store_conformance::{CASES, Place, Report, check, memory::Forgetful, page};

/// What a ledger in memory cannot be asked: it has nothing to open again, and no disk to fill.
const NEEDS_A_DISK: &[&str] = &[
    "room_for_more_than_there_can_be_is_short",
    "what_was_acknowledged_stands_after_reopening",
    "a_command_that_was_cut_off_is_there_whole_or_not_at_all",
    "time_does_not_run_backwards_over_reopening",
];

#[tokio::test(flavor = "multi_thread")]
async fn every_backend_passes_every_case() {
    let (memory, embedded) = tokio::join!(
        run("memory", || Box::<Forgetful>::default()),
        run("embedded", embedded::Directory::fresh),
    );
    memory.1.assert_passed(NEEDS_A_DISK);
    let runs = [memory, embedded];
    for (name, report) in &runs {
        assert_eq!(report.cases().len(), CASES.len(), "{name} ran whole");
        println!("{name}: {} cases ran, {} skipped", report.cases().len(), report.skipped().len());
    }
    for (_, report) in &runs[1..] {
        report.assert_passed(&[]);
    }
    compare(&page(&runs));
}

async fn run(name: &'static str, place: impl Fn() -> Box<dyn Place>) -> (&'static str, Report) {
    (name, check(&place).await)
}

/// `docs/internals/conformance.md` says what was found.
fn compare(found: &str) {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/internals/conformance.md");
    let written = fs::read_to_string(&page).unwrap_or_default();
    if written != found {
        let new = Path::new(env!("CARGO_TARGET_TMPDIR")).join("conformance.md");
        fs::write(&new, found).expect("a test may write into its own directory");
        panic!("write it anew: cp {} docs/internals/conformance.md", new.display());
    }
}
