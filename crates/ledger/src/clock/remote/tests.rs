//! What is known of a server's time, by answers whose way is known.

use super::*;

const NOON: u64 = 1_795_608_000_000;

fn boot(ms: u64) -> Boot {
    Boot(Duration::from_millis(1_000_000 + ms))
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// An answer to a question sent at one moment, that arrived at another, and names the server's time since noon.
fn answer(asked: u64, server: u64, arrived: u64) -> Known {
    Known::of(Asked(boot(asked)), Timestamp::from_ms(NOON + server), boot(arrived))
}

fn clock(first: Known) -> RemoteClock {
    RemoteClock { known: Mutex::new(first), given: AtomicU64::new(0), given_to_retention: AtomicU64::new(0) }
}

fn since_noon(time: Timestamp) -> u64 {
    time.as_ms() - NOON
}

/// A server was stopped for ten seconds with the question in its socket, and read its clock at the very end or the very
/// beginning: nobody here can know which. No lease may be called lapsed by the ten seconds.
#[test]
fn a_slow_answer_is_never_ahead_of_the_server() {
    for read_at in [0, 5_000, 10_000] {
        let clock = clock(answer(0, read_at, 10_000));
        for later in [0, 1, 60_000] {
            // The server's clock at that moment.
            let true_time = 10_000 + later;
            let now = since_noon(clock.now_at(boot(10_000 + later)));
            assert!(now <= true_time, "{now} is ahead of {true_time}");
            let lag = u64::try_from(clock.lag_at(boot(10_000 + later)).as_millis()).unwrap();
            assert!(now + lag >= true_time, "{now} is further behind than {lag}");
        }
    }
}

#[test]
fn a_quick_answer_makes_up_for_slow_ones() {
    let clock = clock(answer(0, 0, 400));
    assert_eq!(clock.lag_at(boot(400)), ms(401));
    clock.heard(answer(1_000, 1_001, 1_002));
    assert!(clock.lag_at(boot(1_002)) <= ms(3));
    clock.heard(answer(2_000, 2_300, 2_400));
    assert!(clock.lag_at(boot(2_400)) < ms(8), "a slow one takes nothing of what was known");
    assert!((2_395..=2_401).contains(&since_noon(clock.now_at(boot(2_400)))));
}

#[test]
fn without_answers_it_becomes_less_certain_and_says_since_when() {
    let clock = clock(answer(0, 1, 2));
    let hour = 3_600_000;
    let (now, lag) = (since_noon(clock.now_at(boot(hour))), clock.lag_at(boot(hour)));
    assert!((hour - 4_000..hour).contains(&now), "{now}");
    assert!((ms(7_000)..ms(8_000)).contains(&lag), "{lag:?}");
    let started = RemoteClock::start(RemoteClock::ask(), Timestamp::from_ms(NOON));
    assert!(started.unconfirmed_for() < DRIFT_LIMIT);
}

/// A fail-over to a server whose clock is behind.
#[test]
fn time_stands_still_where_the_server_steps_back() {
    let clock = clock(answer(0, 1, 2));
    let before = clock.now_at(boot(10_000));
    clock.heard(answer(10_000, 5_000, 10_002));
    assert_eq!(clock.now_at(boot(10_003)), before);
    assert_eq!(clock.now_at(boot(14_000)), before);
    assert!(clock.now_at(boot(15_100)) > before, "and goes on once the server has caught up");
}

#[test]
fn a_jump_ahead_moves_leases_and_expires_nothing() {
    let clock = clock(answer(0, 1, 2));
    let hour = 3_600_000;
    clock.heard(answer(1_000, hour, 1_002));
    assert!(since_noon(clock.now_at(boot(1_002))) >= hour);
    let retention = since_noon(clock.retention_at(boot(1_002)));
    assert!(retention <= 1_010, "{retention}");
    assert!(since_noon(clock.retention_at(boot(61_002))) >= 60_000, "it goes on as this machine's time does");
    clock.heard(answer(62_000, 62_001, 62_002));
    assert!(clock.known().ahead <= ms(200), "set back, nothing is left of the jump");
    assert!(since_noon(clock.retention_at(boot(62_002))) >= 61_000);
}

#[test]
fn a_small_step_is_believed() {
    let clock = clock(answer(0, 1, 2));
    clock.heard(answer(1_000, 11_001, 1_002));
    assert_eq!(clock.retention_at(boot(1_002)), clock.now_at(boot(1_002)));
}

#[test]
fn answers_that_overtake_each_other_are_both_taken() {
    let clock = clock(answer(0, 1, 2));
    clock.heard(answer(100, 101, 110));
    clock.heard(answer(50, 90, 105));
    let now = since_noon(clock.now_at(boot(110)));
    assert!((108..=111).contains(&now), "{now}");
}
