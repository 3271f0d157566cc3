//! `kill -9`, again and again: what was acknowledged is there.
//!
//! The child is this test binary, told by its environment to write until it is killed.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Command as Process, Stdio},
};

use super::*;

const DIRECTORY: &str = "ONLYONCE_TEST_CRASH_DIRECTORY";
const FIRST: &str = "ONLYONCE_TEST_CRASH_FIRST";
const BODY: &str = "ONLYONCE_TEST_CRASH_BODY";
const ACKNOWLEDGED: &str = "acknowledged ";
/// Rows in a batch.
const ROWS: u32 = 8;
const KILLS: u32 = 8;

fn rows(batch: u32) -> impl Iterator<Item = u32> {
    batch * ROWS..(batch + 1) * ROWS
}

fn body(number: u32, len: usize) -> Bytes {
    Bytes::from(number.to_le_bytes().repeat(len.div_ceil(4)))
}

#[expect(clippy::disallowed_methods, reason = "the parent test speaks to its child by the environment")]
fn told(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Writes claims and completions, and says what was acknowledged. Only does so as the child of the test below.
#[tokio::test]
async fn child_writes_until_it_is_killed() {
    let (Some(directory), Some(first), Some(len)) = (told(DIRECTORY), told(FIRST), told(BODY)) else {
        return;
    };
    let len = len.parse().unwrap();
    let store = open(Path::new(&directory));
    let until = store.now().plus(std::time::Duration::from_secs(3600));
    for batch in first.parse().unwrap().. {
        let claims = rows(batch).map(|number| write(id(number), &in_progress(1)));
        store.apply(claims.collect()).await.unwrap();
        let completions = rows(batch).map(|number| Command {
            body: Body::Put { bytes: body(number, len), until },
            note: Some(Bytes::from(number.to_string())),
            ..write(id(number), &completed(2, until))
        });
        store.apply(completions.collect()).await.unwrap();
        writeln!(std::io::stdout(), "{ACKNOWLEDGED}{batch}").unwrap();
    }
}

/// Starts a child, kills it after `acknowledgements`, and says what was the last it acknowledged.
fn kill_after(acknowledgements: usize, directory: &Path, first: u32, len: usize) -> u32 {
    let mut child = Process::new(std::env::current_exe().unwrap())
        .args(["--exact", "tests::crash::child_writes_until_it_is_killed", "--nocapture"])
        .env(DIRECTORY, directory)
        .env(FIRST, first.to_string())
        .env(BODY, len.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut last = None;
    let mut count = 0;
    for batch in lines.filter_map(|line| line.split_once(ACKNOWLEDGED)?.1.parse().ok()) {
        last = Some(batch);
        count += 1;
        if count == acknowledgements {
            // SIGKILL. What it has printed by then is still read.
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    last.expect("the child has acknowledged something")
}

#[tokio::test]
async fn every_acknowledged_row_is_there_after_kill_9() {
    let place = tempfile::tempdir().unwrap();
    let mut first = 0;
    for kill in 0..KILLS {
        // Now and then large results, so that it dies while files are written out and merged.
        let len = if kill % 3 == 2 { 500_000 } else { 600 };
        let acknowledgements = if kill % 3 == 2 { 20 } else { 30 + kill as usize * 17 };
        let last = kill_after(acknowledgements, place.path(), first, len);
        let store = open(place.path());
        for batch in first..=last + 1 {
            let mut whole = 0;
            for number in rows(batch) {
                let Some(row) = head(&store, id(number)).await else { continue };
                let record = codec::decode(&row).unwrap();
                let result = store.body(id(number)).await.unwrap();
                assert_eq!(result.is_some(), !record.is_open(), "row {number} is half there");
                assert!(result.is_none_or(|result| result == body(number, len)), "result {number} differs");
                whole += u32::from(!record.is_open());
            }
            assert!(
                whole == ROWS || batch > last,
                "kill {kill}: batch {batch} of {last} acknowledged has {whole}"
            );
            assert!(whole == ROWS || whole == 0, "kill {kill}: batch {batch} is torn");
        }
        let open = store.open(None, 1000).await.unwrap();
        assert!(open.len() <= ROWS as usize * (kill as usize + 1), "{} rows are open", open.len());
        let newest = store.audit(None, 1).await.unwrap();
        let newest: u32 = std::str::from_utf8(&newest[0].1).unwrap().parse().unwrap();
        assert!(newest >= (last + 1) * ROWS - 1, "the audit ends at {newest}");
        first = last + 2;
    }
}
