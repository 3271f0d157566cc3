//! Keys that tell when they were made, where a route refuses those that are too old to be known.

use std::time::Duration;

use onlyonce_core::Timestamp;
use onlyonce_testbed::{client::Request, effects::Upstream};

use crate::{
    born::{born, now},
    gateway::{Gateway, Setup},
    transfer::{assert_executed, assert_problem, assert_replays, send, transfer},
};

/// Made in February 2022 (RFC 9562, appendix A.6).
const OLD: &str = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f";
/// Made in July 2016.
const OLD_ULID: &str = "01ARYZ6S41TSV4RRFFQ69G5FAV";

const HOUR: u64 = 3_600_000;

fn refusing(lines: &str) -> Setup {
    Setup::anonymous().defaults(&format!("late = \"refuse-dated\"\n{lines}"))
}

#[tokio::test]
async fn a_key_that_is_older_than_keys_are_remembered_is_refused_and_others_run() {
    let upstream = Upstream::counting().await;
    let gateway = Gateway::start(&upstream.url(), refusing("")).await;
    let refused = send(gateway.address, &transfer(OLD)).await;
    assert_problem(&refused, 409, "key-expired");
    assert_eq!(refused.header("idempotency-key"), Some(OLD));
    let week = 7 * 24 * HOUR;
    assert_problem(&send(gateway.address, &transfer(&born(now() - week - HOUR))).await, 409, "key-expired");
    assert_eq!(upstream.arrivals(), 0);
    for key in [born(now() - week + HOUR), born(now()), born(now() + HOUR), "4711".to_owned()] {
        assert_executed(&send(gateway.address, &transfer(&key)).await, 201);
    }
}

#[tokio::test]
async fn unless_a_route_asks_for_it_the_age_of_a_key_does_not_count() {
    let upstream = Upstream::counting().await;
    let gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    assert_executed(&send(gateway.address, &transfer(OLD)).await, 201);
}

/// E4: an order number of 26 characters reads as a ULID of 1970, and a ULID is one only where that is said.
#[tokio::test]
async fn e4_only_a_declared_ulid_is_one_and_a_false_time_is_none() {
    let upstream = Upstream::counting().await;
    let gateway = Gateway::start(&upstream.url(), refusing("")).await;
    assert_executed(&send(gateway.address, &transfer(OLD_ULID)).await, 201);
    let gateway = Gateway::start(&upstream.url(), refusing("key_time = \"ulid\"")).await;
    assert_problem(&send(gateway.address, &transfer(OLD_ULID)).await, 409, "key-expired");
    for key in ["00000000000000000000004711", &born(now() + 25 * HOUR), &born(1)] {
        assert_executed(&send(gateway.address, &transfer(key)).await, 201);
    }
}

/// E5: judged before the look-up, the age of a key would hide what stands for it.
#[tokio::test]
async fn e5_what_is_on_record_stands_however_old_its_key_is() {
    let upstream = Upstream::counting().await;
    let mut gateway = Gateway::start(&upstream.url(), Setup::anonymous()).await;
    let first = send(gateway.address, &transfer(OLD)).await;
    assert_executed(&first, 201);
    gateway.set_up(refusing(""));
    gateway.crash_and_restart().await;
    assert_replays(&send(gateway.address, &transfer(OLD)).await, &first);
    assert_eq!(upstream.arrivals(), 1);
}

/// E2: a clock an hour fast makes keys that pass by their own birth for an hour longer than they are remembered.
#[tokio::test]
async fn e2_a_key_that_is_born_later_than_now_is_remembered_for_as_long_as_its_birth_lets_it_pass() {
    let upstream = Upstream::counting().await;
    let gateway =
        Gateway::start(&upstream.url(), refusing("retain_result = \"2h\"\nretain_key = \"2h\"")).await;
    let birth = now() + HOUR;
    for key in [born(birth), born(now())] {
        assert_executed(&send(gateway.address, &transfer(&key)).await, 201);
    }
    let mut until = Vec::new();
    for seen in upstream.seen() {
        let path = format!("/api/v1/records/{}", seen.operation().unwrap());
        let record = gateway.ask(&Request::get(path)).await.json();
        let told = record["operation"]["key_until"].as_str();
        until.push(told.unwrap_or_else(|| panic!("{record:#}")).to_owned());
    }
    let time = |ms| Timestamp::from_ms(ms).to_string();
    let retained = Duration::from_secs(2 * 3600);
    assert!(until[0] >= Timestamp::from_ms(birth).plus(retained).to_string(), "{until:?}");
    assert!(until[1] < time(birth + 2 * HOUR), "{until:?}");
}
