//! Commands that kill, start, stop and resume what is verified.
//!
//! Invariant: none is waited for longer than [`LONGEST`], and what one starts in the background may go on writing to its
//! output: it is read, and thrown away, for as long as the verifier runs.

use std::{process::Stdio, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::Command,
    sync::watch,
    time::timeout,
};

/// How long a command may take.
pub(crate) const LONGEST: Duration = Duration::from_secs(30);
/// Most of what a command says that is kept.
const SAID_MAX: usize = 400;
/// How long the last words of a command that has ended may need to be read.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// Runs a command with `sh -c` and waits for its end; `Err`: what went wrong, in its own words.
pub(crate) async fn run(command: &str) -> Result<(), String> {
    let mut child = Command::new("sh")
        .arg("-c")
        .arg(command)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("failed to start a shell: {error}"))?;
    let mut said = child.stderr.take().map(listen);
    let ended = timeout(LONGEST, child.wait()).await;
    let status = ended
        .map_err(|_| {
            let seconds = LONGEST.as_secs();
            format!("it did not end within {seconds} s; if it is what serves, write & at its end")
        })?
        .map_err(|error| format!("failed to wait for it: {error}"))?;
    if status.success() {
        return Ok(());
    }
    if let Some(said) = &mut said {
        // Its last words come after it, or never if what it started holds on to its output.
        let _ = timeout(LAST_WORDS, said.wait_for(|said| said.over)).await;
    }
    let words = said.map(|said| String::from_utf8_lossy(&said.borrow().text).trim().to_owned());
    let words = words.filter(|words| !words.is_empty()).unwrap_or_else(|| "it said nothing".to_owned());
    Err(format!("{status}: {words}"))
}

#[derive(Default)]
struct Said {
    text: Vec<u8>,
    over: bool,
}

/// Reads to the end, which may be long after the command's; keeps the beginning.
fn listen(mut output: impl AsyncRead + Unpin + Send + 'static) -> watch::Receiver<Said> {
    let (tell, told) = watch::channel(Said::default());
    tokio::spawn(async move {
        let mut piece = [0; 1024];
        // bounded: what is kept is; the rest is thrown away.
        while let Ok(read @ 1..) = output.read(&mut piece).await {
            tell.send_modify(|said| {
                let room = SAID_MAX.saturating_sub(said.text.len());
                said.text.extend(piece.iter().take(read.min(room)));
            });
        }
        tell.send_modify(|said| said.over = true);
    });
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_command_that_fails_is_told_in_its_own_words() {
        assert_eq!(run("true").await, Ok(()));
        let error = run("echo no such service >&2; exit 3").await.unwrap_err();
        assert_eq!(error, "exit status: 3: no such service");
        assert_eq!(run("exit 1").await.unwrap_err(), "exit status: 1: it said nothing");
    }

    #[tokio::test]
    async fn what_is_started_in_the_background_is_not_waited_for() {
        let held = run("tail -f /dev/null & echo $! >&2; exit 1").await.unwrap_err();
        let pid = held.strip_prefix("exit status: 1: ").unwrap();
        assert_eq!(run(&format!("kill {pid}")).await, Ok(()));
    }
}
