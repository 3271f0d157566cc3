//! A disk that is full, and one that may not be written.
//!
//! They are small file systems in memory, which takes the right to mount one. Where that is missing, these tests fail
//! in CI and say that they did not run elsewhere.

use std::{
    fs,
    process::{Command as Process, Output},
    time::Duration,
};

use onlyonce_ledger::store::{ErrorKind, Room};

use super::*;
use crate::OpenErrorKind;

const MIB: usize = 1024 * 1024;

/// A file system of its own, as long as this lives.
struct Disk(tempfile::TempDir);

impl Disk {
    /// `None` where nothing may be mounted; in CI that is a failure.
    #[expect(clippy::disallowed_methods, reason = "only the environment knows whether this is CI")]
    fn mount(mib: usize) -> Option<Self> {
        let disk = Self(tempfile::tempdir().unwrap());
        let mounted = disk.run("mount", &["-t", "tmpfs", "-o", &format!("size={mib}m"), "tmpfs"]);
        if mounted.as_ref().is_ok_and(|output| output.status.success()) {
            return Some(disk);
        }
        let why = format!("a small tmpfs could not be mounted, so a full disk was not tested: {mounted:?}");
        assert!(std::env::var_os("CI").is_none(), "{why}");
        eprintln!("NOT RUN: {why}");
        None
    }

    fn make_read_only(&self) {
        let output = self.run("mount", &["-o", "remount,ro"]).unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn run(&self, program: &str, arguments: &[&str]) -> std::io::Result<Output> {
        Process::new(program).args(arguments).arg(self.path()).output()
    }

    /// Takes all but so many bytes.
    fn fill_up_to(&self, left: usize) {
        let free = rustix::fs::statvfs(self.path()).unwrap();
        let free = usize::try_from(free.f_bavail * free.f_frsize).unwrap();
        fs::write(self.path().join("ballast"), vec![1; free - left]).unwrap();
    }

    fn free_space(&self) {
        fs::remove_file(self.path().join("ballast")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = self.run("umount", &["--lazy"]);
    }
}

fn without_reserve(disk: &Disk) -> EmbeddedStore {
    let options = Options { reserve: 0, ..Options::default() };
    EmbeddedStore::open(disk.path().join("ledger"), options).unwrap()
}

async fn every_call_is_poisoned(store: &EmbeddedStore) {
    let kinds = [
        store.apply(vec![write(id(1), &in_progress(1))]).await.map(drop),
        store.heads(&[id(1)]).await.map(drop),
        store.body(id(1)).await.map(drop),
        store.open(None, 1).await.map(drop),
        store.sweep(store.now(), 1).await.map(drop),
        store.identity().await.map(drop),
        store.set_identity(None, Bytes::new()).await.map(drop),
        store.note(Bytes::new()).await,
        store.audit(None, 1).await.map(drop),
    ]
    .map(|answer| answer.map_err(|error| error.kind()));
    assert_eq!(kinds, [Err(ErrorKind::Poisoned); 9]);
}

#[tokio::test]
async fn a_disk_that_is_full_poisons_the_store_and_loses_nothing_acknowledged() {
    let Some(disk) = Disk::mount(24) else { return };
    let store = without_reserve(&disk);
    disk.fill_up_to(4 * MIB);
    let until = store.now().plus(Duration::from_secs(3600));
    let mut acknowledged = 0;
    let error = loop {
        let body = Body::Put { bytes: Bytes::from(vec![1; 10_000]), until };
        let claim = Command { body, ..write(id(acknowledged), &completed(1, until)) };
        match store.apply(vec![claim]).await {
            Ok(applied) => assert_eq!(applied, [Applied::Yes]),
            Err(error) => break error,
        }
        acknowledged += 1;
        assert!(acknowledged < 1000, "4 MiB hold 1000 results of 10 000 bytes");
    };
    assert_eq!(error.kind(), ErrorKind::Poisoned, "whether it was written is not known: {error:?}");
    assert!(acknowledged > 100);
    every_call_is_poisoned(&store).await;
    drop(store);

    disk.free_space();
    let store = without_reserve(&disk);
    for number in 0..acknowledged {
        assert_eq!(head(&store, id(number)).await, Some(codec::encode(&completed(1, until))), "row {number}");
        assert_eq!(store.body(id(number)).await.unwrap(), Some(Bytes::from(vec![1; 10_000])));
    }
    assert_eq!(store.open(None, 8).await.unwrap(), []);
    apply(&store, write(id(acknowledged + 1), &in_progress(1))).await;
}

/// The journal has room still, but writing a full memtable to a file has not: one of fjall's own threads fails, and
/// nobody would learn of it before the next write, or ever, if that waits for the thread.
#[tokio::test]
async fn a_failure_in_the_background_poisons_the_store_without_a_write() {
    let Some(disk) = Disk::mount(24) else { return };
    let store = without_reserve(&disk);
    let until = store.now().plus(Duration::from_secs(3600));
    for number in 0..200 {
        let body = Body::Put { bytes: Bytes::from(vec![1; 20_000]), until };
        apply(&store, Command { body, ..write(id(number), &completed(1, until)) }).await;
    }
    disk.fill_up_to(MIB);
    store.spaces().results.rotate_memtable().unwrap();
    let error = tokio::time::timeout(Duration::from_secs(10), async {
        loop {
            match store.heads(&[id(1)]).await {
                // bounded: by the timeout around the loop
                Ok(_) => tokio::time::sleep(Duration::from_millis(20)).await,
                Err(error) => break error,
            }
        }
    });
    assert_eq!(error.await.expect("the failure is noticed").kind(), ErrorKind::Poisoned);
    every_call_is_poisoned(&store).await;
    drop(store);

    disk.free_space();
    let store = without_reserve(&disk);
    for number in 0..200 {
        assert_eq!(
            store.body(id(number)).await.unwrap(),
            Some(Bytes::from(vec![1; 20_000])),
            "result {number}"
        );
    }
}

#[tokio::test]
async fn claims_are_refused_before_the_disk_is_full() {
    let Some(disk) = Disk::mount(64) else { return };
    let path = disk.path().join("ledger");
    let open = |reserve, max_bytes| {
        EmbeddedStore::open(&path, Options { reserve, max_bytes, ..Options::default() }).unwrap()
    };
    let mib = MIB as u64;
    let store = open(8 * mib, None);
    assert_eq!(store.room(8 * mib), Room::Enough);
    assert_eq!(store.room(60 * mib), Room::Short, "what is under way counts");
    disk.fill_up_to(6 * MIB);
    // bounded: once, longer than what is known of the disk counts as news
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert_eq!(store.room(0), Room::Short, "what was asked a moment ago is asked again");
    disk.free_space();
    // bounded: once, longer than what is known of the disk counts as news
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert_eq!(store.room(0), Room::Enough);
    drop(store);
    assert_eq!(open(mib, Some(2 * mib)).room(0), Room::Enough, "what is made for later is not counted");
    assert_eq!(open(mib, Some(2 * mib)).room(mib), Room::Short);
    let store = open(mib, Some(4 * mib));
    let body = Body::Put { bytes: Bytes::from(vec![1; 4 * MIB]), until: PAST };
    apply(&store, Command { body, ..write(id(1), &completed(1, PAST)) }).await;
    // bounded: once, longer than what is known of the disk counts as news
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert_eq!(store.room(0), Room::Short, "what was written is");
}

#[tokio::test]
async fn a_directory_that_may_not_be_written_is_refused_by_name() {
    let Some(disk) = Disk::mount(24) else { return };
    drop(without_reserve(&disk));
    disk.make_read_only();
    for path in [disk.path().join("ledger"), disk.path().join("another")] {
        let error = EmbeddedStore::open(&path, Options::default()).unwrap_err();
        assert_eq!(error.kind(), OpenErrorKind::ReadOnly, "{error}");
        assert!(error.to_string().contains(&*path.to_string_lossy()), "{error}");
    }
}

#[tokio::test]
async fn a_ledger_that_cannot_be_made_for_want_of_space_says_so() {
    let Some(disk) = Disk::mount(8) else { return };
    disk.fill_up_to(0);
    let path = disk.path().join("ledger");
    let error = EmbeddedStore::open(&path, Options::default()).unwrap_err();
    assert_eq!(error.kind(), OpenErrorKind::NoSpace, "{error}");
    disk.free_space();
    open(&path);
}
