//! `cargo xtask screenshot`: plays the double-click in the demo and writes `docs/demo.png`; verifies the demo's naive bank and
//! writes the report's page as `docs/verify.png`.
//!
//! Invariant: the pictures show what the released program does, drawn by a browser that can reach nothing but
//! loopback; an old picture stays until the new one is complete. All processes are stopped by pid.

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

/// Where the pictures go.
const DEMO: &str = "docs/demo.png";
const REPORT: &str = "docs/verify.png";
/// The demo's page plays both double-clicks by itself under this query.
const STORY: &str = "?story=double-click";
/// How long the demo has to print its address.
const START_LIMIT: Duration = Duration::from_secs(20);
/// How long the browser has to draw.
const DRAW_LIMIT: Duration = Duration::from_secs(60);
/// The page's own time in which the story must be over, in milliseconds.
const STORY_BUDGET_MS: u32 = 8_000;
/// Window sizes in CSS pixels.
const DEMO_WINDOW: &str = "1280,1000";
const REPORT_WINDOW: &str = "1060,800";
/// How long the verifier has to find the bank's faults.
const VERIFY_LIMIT: Duration = Duration::from_secs(120);
/// The verifier has found what must not be.
const FAULTY: i32 = 7;
/// How the demo says where the bank without a gateway is.
const TWIN: &str = "naive twin";
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
    let program = target.join("release/onlyonce");
    let scratch = Scratch::new(&target)?;
    let (_demo, addresses) = start_demo(&program)?;
    draw(&browser, &format!("{}{STORY}", addresses.page), DEMO_WINDOW, &scratch.path)?;
    publish(&scratch.picture(), DEMO)?;
    let report = verify(&program, &addresses.twin, &scratch.path)?;
    draw(&browser, &format!("file://{}", report.display()), REPORT_WINDOW, &scratch.path)?;
    publish(&scratch.picture(), REPORT)
}

/// Where the demo's parts are.
struct Addresses {
    page: String,
    twin: String,
}

/// Verifies the bank that moves money each time it is asked; the report's page.
fn verify(program: &Path, twin: &str, scratch: &Path) -> Result<PathBuf, Failure> {
    let page = scratch.join("report.html");
    let mut command = Command::new(program);
    command.arg("verify").arg(format!("POST {twin}/transfers"));
    command.args(["--json", r#"{"from":"ana","to":"luis","amount":1}"#, "--count", "GET /transfers length"]);
    command.arg("--report").arg(format!("html={}", page.display()));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let ended = Running::start(&mut command)?.wait(VERIFY_LIMIT);
    match ended.and_then(|status| status.code()) {
        Some(FAULTY) => Ok(page),
        _ => Err(Failure::new(format!("`{}` did not end with {FAULTY}", process::line(&command)))),
    }
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
        self.path.join("picture.png")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left lies in the build directory and disturbs nobody.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Starts the demo and waits until it has printed the addresses of its page and of the bank without a gateway.
fn start_demo(program: &Path) -> Result<(Running, Addresses), Failure> {
    let mut command = Command::new(program);
    command.arg("demo").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut demo = Running::start(&mut command)?;
    let (sender, lines) = mpsc::channel();
    forward(demo.child().stdout.take(), &sender);
    forward(demo.child().stderr.take(), &sender);
    drop(sender);
    let page =
        printed(&lines, START_LIMIT, "address of its page", |line| address_in(line).map(str::to_owned))?;
    let twin = printed(&lines, START_LIMIT, TWIN, twin_in)?;
    console::note(format_args!("demo: {page}"));
    Ok((demo, Addresses { page, twin }))
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

/// What `find` finds in one of the lines.
fn printed(
    lines: &Receiver<String>,
    limit: Duration,
    what: &str,
    find: fn(&str) -> Option<String>,
) -> Result<String, Failure> {
    let end = Instant::now() + limit;
    let mut printed = Vec::new();
    while let Ok(line) = lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
        if let Some(found) = find(&line) {
            return Ok(found);
        }
        printed.push(line);
    }
    Err(Failure::new(format!("the demo printed no {what}, only:\n{}", printed.join("\n"))))
}

/// `naive twin    http://127.0.0.1:PORT   …`
fn twin_in(line: &str) -> Option<String> {
    line.strip_prefix(TWIN)?.split_whitespace().next().map(str::to_owned)
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

fn draw(browser: &Path, page: &str, window: &str, scratch: &Path) -> Result<(), Failure> {
    let mut command = Command::new(browser);
    command.args(QUIET).arg(format!("--window-size={window}"));
    command.arg(format!("--user-data-dir={}", scratch.join("profile").display()));
    command.arg(format!("--virtual-time-budget={STORY_BUDGET_MS}"));
    command.arg(format!("--screenshot={}", scratch.join("picture.png").display())).arg(page);
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
fn publish(new: &Path, name: &str) -> Result<(), Failure> {
    let place = workspace::root().join(name);
    let bytes =
        fs::read(new).map_err(|error| Failure::new(format!("the browser left no picture: {error}")))?;
    if !bytes.starts_with(PNG) {
        return Err(Failure::new("what the browser left is no PNG"));
    }
    fs::write(&place, bytes)
        .map_err(|error| Failure::new(format!("failed to write {}: {error}", place.display())))?;
    console::note(format_args!("wrote {name}"));
    Ok(())
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
    fn the_twin_is_told_from_the_bank_behind_the_gateway() {
        let line = "naive twin    http://127.0.0.1:4712   the same bank without a gateway";
        assert_eq!(twin_in(line).as_deref(), Some("http://127.0.0.1:4712"));
        assert_eq!(twin_in("its bank      http://127.0.0.1:4711   naive: moves money"), None);
    }

    #[test]
    fn a_demo_that_never_says_where_it_is_fails_with_what_it_said() {
        let (sender, lines) = mpsc::channel();
        sender.send("error: port in use".to_owned()).unwrap();
        drop(sender);
        let failure = printed(&lines, START_LIMIT, TWIN, twin_in).unwrap_err().to_string();
        assert!(failure.contains("error: port in use"), "{failure}");
    }
}
