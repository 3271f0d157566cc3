//! Results, removed.

use super::*;

#[tokio::test]
async fn forgetting_takes_the_result_and_keeps_the_key() {
    let desk = Desk::open().await;
    let reference = desk.unknown(FREE, "a").await;
    let open = desk.keys(&format!("forget {reference} --reason erasure")).await;
    assert_eq!(open.exit, Exit::Failure);
    assert!(open.err.contains("Settle it first"), "{}", open.err);
    desk.keys(&format!("settle {reference} --as applied --status 201 --reason row")).await;
    let stale = desk.keys(&format!("forget {reference} --fence 2 --reason erasure")).await;
    assert_eq!(stale.exit, Exit::Failure);
    let told = desk.keys(&format!("forget {reference} --fence 1 --reason erasure")).await;
    assert_eq!((told.exit, told.out), (Exit::Done, format!("{reference}  tombstone forgotten\n")));
}
