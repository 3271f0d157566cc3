//! All that a filter finds, settled: looked at, asked about, and no more than was shown.

use std::io::Read;

use super::*;

#[tokio::test]
async fn a_filter_shows_what_it_would_do_and_asks() {
    let desk = Desk::open().await;
    let free = desk.unknown(FREE, "a").await;
    let line = "settle --route POST~/free --as not-applied --reason outage";
    let alone = desk.keys(line).await;
    assert_eq!(alone.exit, Exit::Usage);
    assert!(
        alone.err.contains("\n\nhint: look at them with --dry-run, then settle them with --yes"),
        "{}",
        alone.err
    );
    for typed in ["n\n", "\n", "", "yep\n"] {
        let told = desk.asked(line, Some(Box::new(typed.as_bytes()))).await;
        assert_eq!((told.exit, told.out.as_str()), (Exit::Failure, ""), "{typed}");
        assert!(told.err.contains("Settle 1 as not applied? [y/N] "), "{}", told.err);
    }
    assert_eq!(desk.state(&free).await, "unknown");
    let told = desk.asked(line, Some(Box::new("y\n".as_bytes()))).await;
    assert_eq!((told.exit, told.out), (Exit::Done, format!("{free}  released settled-by-operator\n")));
    let nothing = desk.asked(line, Some(Box::new("y\n".as_bytes()))).await;
    assert_eq!((nothing.exit, nothing.out.as_str()), (Exit::Done, ""));
    assert!(!nothing.err.contains("[y/N]"));
}

#[tokio::test]
async fn with_yes_a_filter_does_not_ask() {
    let desk = Desk::open().await;
    let mut expected = Vec::new();
    for key in ["a", "b", "c"] {
        expected.push(desk.unknown(UNSAID, key).await);
    }
    let told = desk.keys("settle --older-than 0s --as applied --status 204 --reason all~there --yes").await;
    assert_eq!(told.exit, Exit::Done);
    for reference in expected {
        assert!(told.out.contains(&format!("{reference}  completed 204\n")), "{}", told.out);
    }
    assert!(told.err.ends_with("3 of 3 settled as applied, 204.\n"), "{}", told.err);
}

/// A keyboard at which something happens before the answer is typed.
struct Meanwhile<F>(Option<F>, &'static [u8]);

impl<F: FnOnce()> Read for Meanwhile<F> {
    fn read(&mut self, _into: &mut [u8]) -> io::Result<usize> {
        unreachable!("lines are read from the buffer")
    }
}

impl<F: FnOnce()> BufRead for Meanwhile<F> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if let Some(happens) = self.0.take() {
            happens();
        }
        Ok(self.1)
    }

    fn consume(&mut self, amount: usize) {
        self.1 = &self.1[amount..];
    }
}

/// What was shown is what is settled: neither what moved on while the question stood there, nor what came in addition.
#[tokio::test(flavor = "multi_thread")]
async fn a_filter_settles_exactly_what_it_showed() {
    let desk = Desk::open().await;
    let moved = desk.unknown(FREE, "a").await;
    let stays = desk.unknown(FREE, "b").await;
    let mut added = String::new();
    let meanwhile = || {
        let runtime = tokio::runtime::Handle::current();
        tokio::task::block_in_place(|| {
            let line = format!("settle {moved} --as applied --status 201 --reason somebody~was~faster");
            assert_eq!(runtime.block_on(desk.keys(&line)).exit, Exit::Done);
            added = runtime.block_on(desk.unknown(FREE, "c"));
        });
    };
    let line = "settle --route POST~/free --as not-applied --reason outage";
    let told = desk.asked(line, Some(Box::new(Meanwhile(Some(meanwhile), b"yes\n")))).await;
    assert_eq!((told.exit, told.out), (Exit::Done, format!("{stays}  released settled-by-operator\n")));
    assert!(told.err.contains(&format!("left alone: {moved}  nothing-to-settle")), "{}", told.err);
    assert_eq!(desk.state(&moved).await, "completed");
    assert_eq!(desk.state(&added).await, "unknown");
}

#[tokio::test]
async fn what_is_no_status_and_what_finds_nothing_is_said() {
    let desk = Desk::open().await;
    let told = desk.keys("settle --route POST~/free --as applied --status 999 --reason x --yes").await;
    assert!(told.exit == Exit::Usage && told.err.contains("999 is no HTTP status"), "{}", told.err);
    for (filter, nothing) in [
        ("--route POST~/nowhere", "no unknown record on that route"),
        ("--route POST~/held --cause deadline", "no unknown record matches"),
    ] {
        let told = desk.keys(&format!("settle {filter} --as not-applied --reason x --yes")).await;
        assert_eq!((told.exit, told.err), (Exit::Done, format!("Nothing to settle: {nothing}.\n")));
    }
}
