//! Every backend keeps every rule of the seam: one entry for all of them, each against its real server, and the page of
//! what was found.
//!
//! A server comes from the environment or is started here; one that is missing fails.

#[path = "../../../store-embedded/tests/conformance/place.rs"]
mod embedded;
#[path = "../../../store-postgres/tests/conformance/place.rs"]
mod postgres;
#[path = "../../../store-redis/tests/conformance/place.rs"]
mod redis;

use std::{fs, path::Path, time::Instant};

use onlyonce_store_conformance::{
    CASES, Place, assert_answers_survive_a_move, check, memory::Forgetful, page,
};
use onlyonce_testbed::servers;

/// What a ledger of one process cannot be asked.
const NEEDS_OTHERS: &[&str] = &["a_shared_clock_is_known_as_it_was_heard"];
/// What a ledger in memory cannot be asked: it shares its clock with nobody, has nothing to open again, and no disk to fill.
const NEEDS_A_DISK: &[&str] = &[
    "a_shared_clock_is_known_as_it_was_heard",
    "room_for_more_than_there_can_be_is_short",
    "what_was_acknowledged_stands_after_reopening",
    "a_command_that_was_cut_off_is_there_whole_or_not_at_all",
    "time_does_not_run_backwards_over_reopening",
];

#[tokio::test(flavor = "multi_thread")]
async fn every_backend_passes_every_case() {
    let mut runs = Vec::new();
    for (backend, place) in backends().await {
        let began = Instant::now();
        let report = check(&place).await;
        let (ran, skipped) = (report.cases().len(), report.skipped().len());
        println!("{backend}: {ran} cases, {skipped} of them skipped, {:.1} s", began.elapsed().as_secs_f64());
        assert_eq!(ran, CASES.len(), "{backend} ran whole");
        report.assert_passed(match backend {
            "memory" => NEEDS_A_DISK,
            "embedded" => NEEDS_OTHERS,
            _ => &[],
        });
        runs.push((backend, report));
    }
    compare(&page(&runs));
}

/// From each to the next, and from the last to the first; where several processes may use one, until each has seen that the
/// ledger is closed.
#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_moves_from_each_backend_to_the_next_and_no_answer_changes() {
    let backends = backends().await;
    let moved = |from: usize| {
        let (from, to) = (&backends[from].1, &backends[(from + 1) % backends.len()].1);
        let (from, to) = (from(), to());
        async move { assert_answers_survive_a_move(from.open().await, to.open().await).await }
    };
    tokio::join!(moved(0), moved(1), moved(2), moved(3), moved(4));
}

type MakePlace = Box<dyn Fn() -> Box<dyn Place>>;

async fn backends() -> [(&'static str, MakePlace); 5] {
    let (database, single, cluster) =
        tokio::join!(servers::postgres(), servers::redis(), servers::redis_cluster());
    [
        ("memory", Box::new(|| Box::<Forgetful>::default())),
        ("embedded", Box::new(embedded::Directory::fresh)),
        ("postgres", Box::new(move || postgres::Schema::of(&database))),
        ("redis", Box::new(move || redis::Namespace::of(&single))),
        ("redis-cluster", Box::new(move || redis::Namespace::of(&cluster))),
    ]
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
