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
    RemoteClock(Mutex::new(first))
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

/// The server's clock is set back by five minutes, or one takes over whose clock is behind. Gateways that knew it before stood
/// still until it had caught up; one that was started afterwards wrote leases that had passed for them, and so had their
/// `settle_after`: what it had just started was settled as not applied, and ran again.
#[test]
fn a_process_that_was_there_before_a_step_back_agrees_with_one_that_came_after() {
    let minute = 60_000;
    let before = clock(answer(0, 10 * minute, 2));
    assert!(since_noon(before.now_at(boot(1_000))) >= 10 * minute);
    let after = clock(answer(1_000, 5 * minute, 1_002));
    before.heard(answer(1_100, 5 * minute + 100, 1_102));
    for later in [1_102, 2_000, 60_000] {
        let (one, other) = (before.now_at(boot(later)), after.now_at(boot(later)));
        let lag = before.lag_at(boot(later)).max(after.lag_at(boot(later)));
        assert!(
            one.since(other) <= lag && other.since(one) <= lag,
            "{one} and {other} are further apart than {lag:?}"
        );
    }
}

/// The same with a clock that was eight days fast and is put right. What was completed from then on had expired for whoever
/// had believed it, and was run again.
#[test]
fn what_is_written_after_a_step_back_has_not_expired_for_who_was_there_before() {
    let day = 86_400_000;
    let before = clock(answer(0, 8 * day, 2));
    before.heard(answer(1_000, 1_000, 1_002));
    assert!(since_noon(before.retention_at(boot(1_002))) <= 1_002);
    assert!(since_noon(before.now_at(boot(1_002))) <= 1_002);
}

/// It was asked before the clock was set, and its answer was late.
#[test]
fn an_answer_to_an_older_question_does_not_bring_an_older_time_back() {
    let minute = 60_000;
    let clock = clock(answer(0, 10 * minute, 2));
    clock.heard(answer(1_000, 5 * minute, 1_002));
    clock.heard(answer(900, 10 * minute + 950, 1_010));
    assert!(since_noon(clock.now_at(boot(1_010))) < 6 * minute);
    assert_eq!(clock.known().ahead, Duration::ZERO);
}

/// The server's clock jumped eight days ahead, and some gateways were restarted. They believed it, and swept every result.
#[test]
fn a_process_that_starts_after_a_jump_keeps_what_the_jump_would_end() {
    let day = 86_400_000;
    let clock = clock(answer(0, 8 * day, 2).witnessed_by(Timestamp::from_ms(NOON)));
    assert!(since_noon(clock.retention_at(boot(2))) <= 2);
    assert!(since_noon(clock.now_at(boot(2))) >= 8 * day, "what it writes is by the clock of all");
    let steady = clock.steady();
    assert!((8 * day..8 * day + 10).contains(&since_noon(steady.since)));
    assert_eq!(steady.ahead, ms(8 * day));

    for wall in [NOON, NOON + 3_600_000] {
        let agrees = self::clock(answer(0, 59_000, 2).witnessed_by(Timestamp::from_ms(wall)));
        assert_eq!(
            agrees.known().ahead,
            Duration::ZERO,
            "a machine's clock that is right, or fast, says nothing"
        );
    }
}

#[test]
fn a_jump_ahead_is_followed_and_expires_nothing() {
    let clock = clock(answer(0, 1, 2));
    let hour = 3_600_000;
    clock.heard(answer(1_000, hour, 1_002));
    assert!(since_noon(clock.now_at(boot(1_002))) >= hour);
    let steady = clock.steady();
    assert!((hour..hour + 10).contains(&since_noon(steady.since)), "{steady:?}");
    assert!((ms(hour - 1_010)..=ms(hour)).contains(&steady.ahead), "{steady:?}");
    let retention = since_noon(clock.retention_at(boot(1_002)));
    assert!(retention <= 1_010, "{retention}");
    assert!(since_noon(clock.retention_at(boot(61_002))) >= 60_000, "it goes on as this machine's time does");
    clock.heard(answer(62_000, 62_001, 62_002));
    assert!(clock.known().ahead <= ms(200), "set back, nothing is left of the jump");
    assert!(since_noon(clock.retention_at(boot(62_002))) >= 61_000);
}

/// What puts right a clock that has jumped ahead is a step back, and it is made soon.
#[test]
fn a_step_back_is_told_however_shortly_after_a_jump_ahead() {
    let clock = clock(answer(0, 1, 2));
    let hour = 3_600_000;
    let jump = clock.heard(answer(1_000, hour, 1_002));
    assert_eq!((jump.back, jump.ahead), (None, Some(clock.known().ahead)));
    assert_eq!(clock.heard(answer(3_000, hour + 2_000, 3_002)), News::default(), "once a minute is enough");
    let put_right = clock.heard(answer(4_000, 4_001, 4_002));
    assert!(put_right.back.is_some_and(|back| back > ms(hour - 10_000)), "{put_right:?}");
    assert_eq!(put_right.ahead, None);
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
