//! What is open, and how it can be ended.

use super::*;

#[tokio::test]
async fn the_list_shows_what_is_open_and_as_what_it_settles() {
    let desk = Desk::open().await;
    let none = desk.keys("list").await;
    assert_eq!((none.exit, none.out.as_str(), none.err.as_str()), (Exit::Done, "", "Nothing is open.\n"));
    let free = desk.unknown(FREE, "a").await;
    let held = desk.unknown(HELD, "b").await;
    let unsaid = desk.unknown(UNSAID, "c").await;
    let told = desk.keys("list --state unknown").await;
    assert_eq!(told.exit, Exit::Done);
    let lines: Vec<_> = told.out.lines().collect();
    assert_eq!(lines.len(), 4);
    let column = lines[0].find("SETTLES AS").unwrap();
    for (reference, settles_as) in [
        (&free, "applied, not-applied"),
        (&held, "applied; not-applied from "),
        (&unsaid, "applied; not-applied with --force"),
    ] {
        let line = lines.iter().find(|line| line.starts_with(reference.as_str())).unwrap();
        assert!(line[column..].starts_with(settles_as), "{line}");
        assert!(line.contains("answer-lost"), "{line}");
    }
    assert!(told.err.contains("3 unknown, 0 in progress"), "{}", told.err);
}

#[tokio::test]
async fn the_list_is_filtered_and_comes_as_json_lines() {
    let desk = Desk::open().await;
    let free = desk.unknown(FREE, "a").await;
    desk.unknown(HELD, "b").await;
    let told = desk.keys("list --route POST~/free --cause answer-lost --json").await;
    let lines: Vec<Value> = told.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["operation_ref"], free);
    for nobody in ["list --older-than 1h", "list --cause deadline", "list --state in-progress"] {
        assert_eq!(desk.keys(nobody).await.out, "", "{nobody}");
    }
}

#[tokio::test]
async fn show_says_how_to_end_it() {
    let desk = Desk::open().await;
    let free = desk.unknown(FREE, "a").await;
    let unsaid = desk.unknown(UNSAID, "b").await;
    let told = desk.keys(&format!("show {free}")).await;
    assert!(told.out.contains("answer-lost: bytes were sent"), "{}", told.out);
    assert!(
        told.err.contains(&format!("onlyonce keys settle {free} --fence 1 --as not-applied --reason")),
        "{}",
        told.err
    );
    assert!(!told.err.contains("--force"));
    assert!(desk.keys(&format!("show {unsaid}")).await.err.contains("--as not-applied --force --reason"));
}
