//! What was logged, by all tests of the process: the store works on a thread of its own, so nobody's log is apart.

use std::{
    io,
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

use tracing_subscriber::fmt::MakeWriter;

/// How long something may take to be logged, and how often it is looked for.
const LIMIT: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(20);

/// All lines from the first call of [`listen`] on.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

pub(crate) fn listen() -> &'static Log {
    static LOG: OnceLock<Log> = OnceLock::new();
    LOG.get_or_init(|| {
        let log = Log::default();
        tracing_subscriber::fmt().with_ansi(false).with_writer(log.clone()).init();
        log
    })
}

impl Log {
    /// The lines that have all of this in them.
    pub(crate) fn lines(&self, with: &[&str]) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let lines = text.lines().filter(|line| with.iter().all(|part| line.contains(part)));
        lines.map(ToOwned::to_owned).collect()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Waits until it is so.
pub(crate) async fn until(what: &str, so: impl Fn() -> bool) {
    let waited = async {
        while !so() {
            // bounded: by LIMIT, below
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(LIMIT, waited).await.unwrap_or_else(|_| panic!("it did not come to this: {what}"));
}
