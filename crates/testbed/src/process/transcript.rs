//! What a child has written, line by line, while it runs.

use std::collections::VecDeque;

use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader},
    sync::watch,
};

/// Lines kept of each stream; beyond it the oldest go.
pub const LINES_LIMIT: usize = 100_000;
/// Bytes of a line; a longer one is cut into several.
pub const LINE_LIMIT: u64 = 64 << 10;

/// The lines of one stream. Clones are the same lines.
#[derive(Clone, Debug, Default)]
pub(super) struct Transcript(watch::Sender<Lines>);

#[derive(Debug, Default)]
struct Lines {
    kept: VecDeque<String>,
    ended: bool,
}

impl Transcript {
    /// Collects lines until the stream ends, also when nobody asks for them: a full pipe would stop the child.
    pub(super) async fn collect(self, stream: impl AsyncRead + Unpin) {
        let mut reader = BufReader::new(stream);
        loop {
            let mut line = Vec::new();
            match (&mut reader).take(LINE_LIMIT).read_until(b'\n', &mut line).await {
                Ok(1..) => self.push(&line),
                Ok(0) | Err(_) => break,
            }
        }
        self.0.send_modify(|lines| lines.ended = true);
    }

    pub(super) fn lines(&self) -> Vec<String> {
        self.0.borrow().kept.iter().cloned().collect()
    }

    /// The first line that contains `pattern`, now or later; `None` once the stream has ended without one.
    pub(super) async fn find(&self, pattern: &str) -> Option<String> {
        let mut lines = self.0.subscribe();
        let found = |lines: &Lines| lines.kept.iter().find(|line| line.contains(pattern)).cloned();
        let seen = lines.wait_for(|lines| lines.ended || found(lines).is_some()).await.ok()?;
        found(&seen)
    }

    /// Waits until the stream has ended, so that its lines are all there.
    pub(super) async fn ended(&self) {
        let mut lines = self.0.subscribe();
        // It cannot close: this is one of its senders.
        let _ = lines.wait_for(|lines| lines.ended).await;
    }

    fn push(&self, line: &[u8]) {
        let line = String::from_utf8_lossy(line).trim_end_matches(['\n', '\r']).to_owned();
        self.0.send_modify(|lines| {
            if lines.kept.len() == LINES_LIMIT {
                lines.kept.pop_front();
            }
            lines.kept.push_back(line);
        });
    }
}
