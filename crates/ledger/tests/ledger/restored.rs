//! A ledger that was restored to an earlier state.

use std::time::Duration;

use onlyonce_core::record::ReleaseCause;
use onlyonce_ledger::identity;

use crate::begun::{LOST, begin_two, passes, replayed, request, rerunnable};

/// Longer than a process goes without a look at the identity.
const SEEN: Duration = Duration::from_secs(5);

/// C14: what is not on record may be from the time that was lost, and so may a later attempt of what stands released.
#[tokio::test(start_paused = true)]
async fn what_was_restored_may_have_forgotten_what_is_not_on_record_and_what_was_free() {
    let (one, two) = begin_two().await;
    one.execute(&request(1), "paid").await;
    one.run(&rerunnable(2)).await.lose_track(LOST).await.unwrap();
    one.store.advance(Duration::from_secs(121));
    one.claim(&request(3)).await.release(ReleaseCause::NotSent, None).await.unwrap();
    for begun in [&one, &two] {
        for key in [request(3), request(4)] {
            assert_eq!(begun.lead(&key).await.forgotten_before(), None);
        }
    }
    one.store.advance(Duration::from_secs(1));
    let before = identity::restored(&*one.store.store(), None).await.unwrap().before;
    passes(SEEN).await;
    for begun in [&one, &two] {
        for key in [request(3), request(4)] {
            assert_eq!(begun.lead(&key).await.forgotten_before(), Some(before));
        }
        assert_eq!(begun.lead(&rerunnable(2)).await.forgotten_before(), None, "it keeps its name");
        assert_eq!(replayed(&begun.standing(&request(1)).await), b"paid", "what is on record stands");
    }
    one.store.advance(Duration::from_secs(1));
    one.claim(&request(5)).await.release(ReleaseCause::NotSent, None).await.unwrap();
    assert_eq!(two.lead(&request(5)).await.forgotten_before(), None, "it is known since");
}
