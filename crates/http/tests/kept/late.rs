//! Attempts that listen for a late answer: for how long, and how many.

use std::time::Duration;

use http::Response;
use onlyonce_core::State;

use crate::scene::{Scene, Setting, said, settled, transfer, whole};

/// A scene whose handler answers after so many seconds, in which so many attempts may listen.
async fn slow(seconds: u64, setting: Setting, settle_after: Option<Duration>) -> Scene {
    let rules = |rules: &mut onlyonce_http::Rules| rules.policy.settle_after = settle_after;
    Scene::new(setting, rules, move |_| async move {
        // bounded: on a paused clock, by the test's own number
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        Response::new(whole("late"))
    })
    .await
}

async fn is_unknown(scene: &Scene, key: &str) -> bool {
    matches!(scene.state(key).await, Some(State::Unknown { .. }))
}

async fn seconds(seconds: u64) {
    // bounded: on a paused clock, by the test's own number
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    settled().await;
}

#[tokio::test(start_paused = true)]
async fn a_late_answer_is_listened_for_as_long_as_the_deadline_again() {
    for (answers_after, is_kept) in [(119, true), (121, false)] {
        let scene = slow(answers_after, Setting::default(), None).await;
        let first = scene.send(transfer("k")).await;
        assert_eq!((first.status().as_u16(), said(&first)), (504, Some("unknown")));
        seconds(70).await;
        assert_eq!(is_unknown(&scene, "k").await, !is_kept, "answered after {answers_after} s");
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_answer_is_listened_for_as_long_as_the_upstream_may_work() {
    for (answers_after, is_kept) in [(60 + 299, true), (60 + 301, false)] {
        let scene = slow(answers_after, Setting::default(), Some(Duration::from_secs(300))).await;
        assert_eq!(scene.send(transfer("k")).await.status(), 504);
        seconds(310).await;
        assert_eq!(is_unknown(&scene, "k").await, !is_kept, "answered after {answers_after} s");
    }
}

/// Beyond the bound the call is dropped, and with it its connection; its record stays unknown.
#[tokio::test(start_paused = true)]
async fn beyond_the_bound_of_listeners_a_late_answer_is_dropped() {
    let setting = Setting { listening: Some(1), ..Setting::default() };
    let scene = slow(90, setting, None).await;
    let (one, two) = (scene.begin(transfer("one")), scene.begin(transfer("two")));
    assert_eq!((one.await.unwrap().status().as_u16(), two.await.unwrap().status().as_u16()), (504, 504));
    seconds(60).await;
    let unknown = [is_unknown(&scene, "one").await, is_unknown(&scene, "two").await];
    assert_eq!(unknown.iter().filter(|unknown| **unknown).count(), 1, "{unknown:?}");
}
