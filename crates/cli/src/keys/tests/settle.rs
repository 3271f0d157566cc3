//! Operations that are named, settled.

use super::*;

#[tokio::test]
async fn settling_uses_the_state_and_fence_that_it_shows() {
    let desk = Desk::open().await;
    let one = desk.unknown(FREE, "a").await;
    let other = desk.unknown(HELD, "b").await;
    let told = desk.keys(&format!("settle {one} --as not-applied --reason no~row")).await;
    assert_eq!((told.exit, told.out), (Exit::Done, format!("{one}  released settled-by-operator\n")));
    assert!(told.err.contains("unknown answer-lost, fence 1, POST /free"), "{}", told.err);
    let told = desk.keys(&format!("settle {other} --as applied --status 201 --reason row --by luis")).await;
    assert_eq!((told.exit, told.out), (Exit::Done, format!("{other}  completed 201\n")));
    let audit = desk.audit().await;
    assert_eq!((&audit[0]["who"], &audit[1]["who"]), (&"luis".into(), &"ana".into()));
    assert_eq!(audit[1]["why"], "no row");
}

/// A11 at the keyboard: the fence on the command line is the one that was looked into.
#[tokio::test]
async fn a_fence_that_does_not_stand_settles_nothing() {
    let desk = Desk::open().await;
    let reference = desk.unknown(FREE, "a").await;
    let told = desk.keys(&format!("settle {reference} --fence 2 --as not-applied --reason no~row")).await;
    assert_eq!((told.exit, told.out.as_str()), (Exit::Failure, ""));
    assert!(
        told.err.contains("record-moved") && told.err.contains("\n\nhint: onlyonce keys show"),
        "{}",
        told.err
    );
    assert_eq!(desk.state(&reference).await, "unknown");
}

#[tokio::test]
async fn one_refusal_does_not_keep_the_next_from_its_turn() {
    let desk = Desk::open().await;
    let held = desk.unknown(HELD, "a").await;
    let free = desk.unknown(FREE, "b").await;
    let told = desk.keys(&format!("settle {held} {free} --as not-applied --reason outage")).await;
    assert_eq!(told.exit, Exit::Failure);
    assert!(
        told.err.contains(&format!("error: {held}: ")) && told.err.contains("settle-too-early"),
        "{}",
        told.err
    );
    assert_eq!(
        (desk.state(&held).await, desk.state(&free).await),
        ("unknown".to_owned(), "released".to_owned())
    );
    let forced =
        desk.keys(&format!("settle {held} --as not-applied --force --reason upstream~stopped")).await;
    assert_eq!(forced.exit, Exit::Done);
    assert_eq!(desk.audit().await[0]["action"], "settle not applied, forced");
}

#[tokio::test]
async fn a_dry_run_changes_nothing() {
    let desk = Desk::open().await;
    let free = desk.unknown(FREE, "a").await;
    let held = desk.unknown(HELD, "b").await;
    let told = desk.keys(&format!("settle {free} {held} --as not-applied --reason x --dry-run")).await;
    assert_eq!((told.exit, told.out), (Exit::Failure, format!("{free}  would be settled as not applied\n")));
    let told = desk.keys("settle --cause answer-lost --as not-applied --reason x --dry-run").await;
    assert_eq!(told.exit, Exit::Done);
    assert!(told.out.contains(&free) && !told.out.contains(&held), "{}", told.out);
    assert!(
        told.err.contains(&format!("left alone: {held}  settle-too-early, not-applied from ")),
        "{}",
        told.err
    );
    assert!(told.err.contains("1 would be settled as not applied, 1 left alone. Nothing was changed."));
    assert_eq!((desk.state(&free).await, desk.audit().await.len()), ("unknown".to_owned(), 0));
}
