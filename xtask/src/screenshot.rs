//! `cargo xtask screenshot`: plays the double-click in the demo and writes `docs/demo.png`.
//!
//! Invariant: the picture shows what the released program does, drawn by a browser that can reach nothing but
//! loopback; the old picture stays until the new one is complete. Both processes are stopped by pid.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use crate::failure::Failure;
use crate::process::Running;
use crate::tools::{self, Tool};
use crate::{console, metadata, process, workspace};

/// Where the picture goes.
const PICTURE: &str = "docs/demo.png";
/// The demo's page plays both double-clicks by itself under this query.
const STORY: &str = "?story=double-click";
/// How long the demo has to print its address.
const START_LIMIT: Duration = Duration::from_secs(20);
/// How long the browser has to draw.
const DRAW_LIMIT: Duration = Duration::from_secs(60);
/// The page's own time in which the story must be over, in milliseconds.
const STORY_BUDGET_MS: u32 = 8_000;
/// Window size in CSS pixels.
const WINDOW: &str = "1280,1000";
/// Every PNG begins so.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

/// What the browser is told beside size, profile and page.
const QUIET: &[&str] = &[
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-sync",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
    // The page needs no other host, and the browser gets none.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
];

/// Builds, plays, draws.
pub(crate) fn run() -> Result<(), Failure> {
    tools::ensure(&[Tool::Chromium])?;
    let browser = Tool::Chromium.find().ok_or_else(|| Failure::new("Chromium was there a moment ago"))?;
    process::run(&mut workspace::cargo(["build", "--release", "-p", "onlyonce-cli"]))?;
    let target = metadata::target_directory()?;
    let scratch = Scratch::new(&target)?;
    let (_demo, page) = start_demo(&target.join("release/onlyonce"))?;
    draw(browser, &format!("{page}{STORY}"), &scratch.path)?;
    let picture = workspace::root().join(PICTURE);
    publish(&scratch.picture(), &picture)?;
    console::note(format_args!("wrote {PICTURE}"));
    Ok(())
}

/// A directory for the browser's profile and the unfinished picture, removed in the end.
struct Scratch {
    path: PathBuf,
}

impl Scratch {
    fn new(target: &Path) -> Result<Self, Failure> {
        let path = target.join(format!("screenshot-{}", std::process::id()));
        fs::create_dir_all(&path)
            .map_err(|error| Failure::new(format!("failed to make {}: {error}", path.display())))?;
        Ok(Self { path })
    }

    fn picture(&self) -> PathBuf {
        self.path.join("demo.png")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left lies in the build directory and disturbs nobody.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Starts the demo and waits until it has printed the address of its page.
fn start_demo(program: &Path) -> Result<(Running, String), Failure> {
    let mut command = Command::new(program);
    command.arg("demo").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut demo = Running::start(&mut command)?;
    let (sender, lines) = mpsc::channel();
    forward(demo.child().stdout.take(), &sender);
    forward(demo.child().stderr.take(), &sender);
    drop(sender);
    let page = page_address(&lines, START_LIMIT)?;
    console::note(format_args!("demo: {page}"));
    Ok((demo, page))
}

/// Sends on each line, and goes on reading when nobody listens, so that the child never blocks.
fn forward(output: Option<impl Read + Send + 'static>, sender: &Sender<String>) {
    let Some(output) = output else { return };
    let sender = sender.clone();
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
}

fn page_address(lines: &Receiver<String>, limit: Duration) -> Result<String, Failure> {
    let end = Instant::now() + limit;
    let mut printed = Vec::new();
    while let Ok(line) = lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
        if let Some(page) = address_in(&line) {
            return Ok(page.to_owned());
        }
        printed.push(line);
    }
    Err(Failure::new(format!("the demo printed no address of its page, only:\n{}", printed.join("\n"))))
}

/// The first `http://127.0.0.1:PORT/` that is a page by itself and not the beginning of a longer address.
fn address_in(line: &str) -> Option<&str> {
    let words =
        line.split(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>' | '(' | ')' | ','));
    words.map(|word| word.trim_end_matches('.')).find(|word| {
        let port = word.strip_prefix("http://127.0.0.1:").and_then(|rest| rest.strip_suffix('/'));
        port.is_some_and(|port| port.parse::<u16>().is_ok())
    })
}

fn draw(browser: &str, page: &str, scratch: &Path) -> Result<(), Failure> {
    let mut command = Command::new(browser);
    command.args(QUIET).arg(format!("--window-size={WINDOW}"));
    command.arg(format!("--user-data-dir={}", scratch.join("profile").display()));
    command.arg(format!("--virtual-time-budget={STORY_BUDGET_MS}"));
    command.arg(format!("--screenshot={}", scratch.join("demo.png").display())).arg(page);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let ended = Running::start(&mut command)?.wait(DRAW_LIMIT);
    match ended {
        Some(status) if status.success() => Ok(()),
        Some(status) => Err(Failure::new(format!("`{}` ended with {status}", process::line(&command)))),
        None => Err(Failure::new(format!("the browser did not finish in {} s", DRAW_LIMIT.as_secs()))
            .or_hint("a request of the page that never ends stops the browser's virtual time")),
    }
}

/// Puts a complete picture in the place of the old one.
fn publish(new: &Path, place: &Path) -> Result<(), Failure> {
    let bytes =
        fs::read(new).map_err(|error| Failure::new(format!("the browser left no picture: {error}")))?;
    if !bytes.starts_with(PNG) {
        return Err(Failure::new("what the browser left is no PNG"));
    }
    fs::write(place, bytes)
        .map_err(|error| Failure::new(format!("failed to write {}: {error}", place.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_told_from_other_addresses() {
        for (line, expected) in [
            ("open http://127.0.0.1:4711/ in a browser", Some("http://127.0.0.1:4711/")),
            ("page: <http://127.0.0.1:80/>.", Some("http://127.0.0.1:80/")),
            ("curl -X POST http://127.0.0.1:4711/transfers", None),
            ("http://127.0.0.1:4711 http://127.0.0.1:99999/ http://127.0.0.1:/", None),
            ("http://example.com/", None),
        ] {
            assert_eq!(address_in(line), expected, "{line}");
        }
    }

    #[test]
    fn a_demo_that_never_says_where_it_is_fails_with_what_it_said() {
        let (sender, lines) = mpsc::channel();
        sender.send("error: port in use".to_owned()).unwrap();
        drop(sender);
        let failure = page_address(&lines, START_LIMIT).unwrap_err().to_string();
        assert!(failure.contains("error: port in use"), "{failure}");
    }
}
