//! Start-up refuses what cannot hold a ledger, and says what to do.

use onlyonce_store_redis::{OpenErrorKind, Options, RedisStore};
use onlyonce_testbed::{
    servers::{Redis, redis},
    tls::Authority,
};

use crate::{
    begun::{CREATED, begin, options, request, until},
    log,
};

async fn refused(options: Options) -> (OpenErrorKind, String) {
    let error = RedisStore::open(options).await.map(drop).expect_err("it is refused");
    (error.kind(), error.to_string())
}

async fn server(settings: &[(&'static str, &str)]) -> Redis {
    let settings = settings.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    Redis::start_with(redis::Options { settings, ..redis::Options::default() }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_login_is_told_without_being_repeated() {
    let server =
        Redis::start_with(redis::Options { password: Some("right"), ..redis::Options::default() }).await;
    let at = server.addr();
    for (url, told) in [
        (format!("redis://:hunter2@{at}"), "refuses this user or password"),
        (format!("redis://nobody:hunter2@{at}"), "refuses this user or password"),
        (format!("redis://{at}"), "wants a password"),
    ] {
        let (kind, text) = refused(options(&url)).await;
        assert_eq!(kind, OpenErrorKind::Login);
        assert!(text.contains(told) && text.contains(&at.to_string()), "{text}");
        assert!(!text.contains("hunter2") && !text.contains("right"), "{text}");
    }
    let begun = begin(&format!("redis://:right@{at}/3")).await;
    begun.run(&request(1)).await.complete(CREATED, "paid".into()).await.unwrap();
    let (_, text) = refused(options(&format!("redis://:right@{at}/99"))).await;
    assert!(text.contains("DB index is out of range"), "{text}");
}

/// A user that may do what the documentation lists, and nothing else. A permission that was missed in use would be met after a
/// script's first write.
#[tokio::test(flavor = "multi_thread")]
async fn a_user_with_the_documented_permissions_is_enough_and_one_with_fewer_is_told_which_he_lacks() {
    let server = Redis::start().await;
    let page = include_str!("../../../../docs/operating/redis.md");
    let line = page.lines().find(|line| line.starts_with("ACL SETUSER")).expect("the page has the line");
    assert_eq!(server.ask(&line.replace("PASSWORD", "secret")).await, "OK");
    let url = format!("redis://onlyonce:secret@{}", server.addr());
    let begun = begin(&url).await;
    begun.run(&request(1)).await.complete(CREATED, "paid".into()).await.unwrap();
    assert_eq!(begun.replay(&request(1)).await, "paid");
    assert!(
        onlyonce_ledger::store::Store::sweep(
            &*begun.store,
            onlyonce_ledger::store::Store::now(&*begun.store),
            10
        )
        .await
        .is_ok()
    );
    assert!(begun.ledger.audit(None, 10).await.is_ok());
    drop(begun);

    // What one server is not asked for, or need not show.
    let spared = ["+auth", "+select", "+config|get", "+wait", "+asking", "+cluster|slots"];
    let without = |word: &str| {
        let words: Vec<_> = line.split(' ').filter(|other| *other != word).collect();
        words.join(" ").replace("PASSWORD", "secret")
    };
    for word in line.split(' ').filter(|word| word.starts_with('+') && !spared.contains(word)) {
        assert_eq!(server.ask(&without(word)).await, "OK");
        let (kind, text) = refused(options(&url)).await;
        assert_eq!(kind, OpenErrorKind::Login, "{text}");
        assert!(text.contains("docs/operating/redis.md"), "{text}");
        let command = word.trim_start_matches('+').replace('|', " ");
        let told = match &*command {
            // Nothing else is tried without these.
            "ping" | "info" => format!("'{command}'"),
            _ => format!("it refuses {} (", command.to_uppercase()),
        };
        assert!(text.contains(&told), "{text}");
    }
    assert_eq!(server.ask(&without("+wait")).await, "OK");
    let replicated = Options { min_replicas: 1, accept_loss: true, ..options(&url) };
    let (_, text) = refused(replicated).await;
    assert!(text.contains("it refuses WAIT ("), "{text}");
}

/// A key that nobody may replace or remove any more would stay.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_permission_is_tried_on_is_not_left_behind() {
    let server = Redis::start().await;
    let given = "ACL SETUSER onlyonce reset on >secret ~{onlyonce:* +@all -set -unlink";
    assert_eq!(server.ask(given).await, "OK");
    let (kind, text) = refused(options(&format!("redis://onlyonce:secret@{}", server.addr()))).await;
    assert_eq!(kind, OpenErrorKind::Login);
    assert!(text.contains("it refuses SET, UNLINK ("), "{text}");
    assert_eq!(server.ask("KEYS *").await, "");
}

/// A server without `AUTH`, or what stands in its place, repeats what it was sent.
#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_the_server_repeats_is_in_no_error_and_no_log() {
    let log = log::listen();
    let server = server(&[("rename-command", "AUTH \"\"")]).await;
    let addr = server.addr().to_string();
    assert!(server.ask("AUTH onlyonce hunter2").await.contains("hunter2"), "it does repeat it");
    let error = RedisStore::open(options(&format!("redis://onlyonce:hunter2@{addr}"))).await.map(drop);
    let shown = format!("{0} {0:?}", error.expect_err("it is refused"));
    assert!(shown.contains("the server answered ERR to the password"), "{shown}");
    assert!(!shown.contains("hunter2"), "{shown}");
    until("it is logged", async || !log.lines(&[&addr, "cannot be reached"]).is_empty()).await;
    assert_eq!(log.lines(&["hunter2"]), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_know_a_command_is_told_which() {
    let server = server(&[("rename-command", "UNLINK \"\"")]).await;
    let (kind, text) = refused(options(&server.url())).await;
    assert_eq!(kind, OpenErrorKind::Unsuitable);
    assert!(text.contains("does not know UNLINK"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_evicts_is_refused_whatever_is_accepted() {
    for policy in ["allkeys-lru", "volatile-lru", "volatile-ttl"] {
        let server = server(&[("maxmemory-policy", policy)]).await;
        let vouched = format!("{}?policy=noeviction", server.url());
        for url in [server.url(), vouched] {
            let (kind, text) = refused(Options { accept_loss: true, ..options(&url) }).await;
            assert_eq!(kind, OpenErrorKind::Policy);
            assert!(text.contains("set `maxmemory-policy noeviction` there"), "{text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_can_lose_a_claim_is_refused_unless_that_is_accepted_and_says_what_in_one_line() {
    for (name, value, told) in [
        ("appendonly", "no", "a crash or a restart loses everything since the last snapshot"),
        ("appendfsync", "everysec", "a crash of the machine loses the last second"),
        ("appendfsync", "no", "a crash of the machine loses the last half a minute"),
        ("no-appendfsync-on-rewrite", "yes", "loses what came during a rewrite"),
    ] {
        let server = server(&[(name, value)]).await;
        let (kind, text) = refused(options(&server.url())).await;
        assert_eq!(kind, OpenErrorKind::Loss);
        assert!(text.contains(told) && text.contains("write `accept_loss = true` under [ledger]"), "{text}");
        let accepted = Options { accept_loss: true, ..options(&server.url()) };
        let (_, said) = RedisStore::open(accepted).await.unwrap();
        let lines: Vec<_> = said.iter().filter(|said| said.contains("can lose claims")).collect();
        assert!(matches!(&lines[..], [line] if line.contains(told) && !line.contains('\n')), "{said:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_master_with_a_replica_can_lose_a_claim_and_a_replica_is_none_for_a_ledger() {
    let master = Redis::start().await;
    let follow = format!("127.0.0.1 {}", master.addr().port());
    let replica = server(&[("replicaof", &follow)]).await;
    until("it follows", async || master.ask("INFO replication").await.contains("state=online")).await;
    let (kind, text) = refused(options(&master.url())).await;
    assert_eq!(kind, OpenErrorKind::Loss);
    assert!(text.contains("a fail-over loses what the promoted replica had not received"), "{text}");
    let (kind, text) = refused(options(&replica.url())).await;
    assert_eq!(kind, OpenErrorKind::Unsuitable);
    assert!(text.contains("write the master's address"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_of_the_other_kind_is_told_which_url_to_write() {
    let single = Redis::start().await;
    let (_, text) = refused(options(&single.url().replace("redis://", "redis-cluster://"))).await;
    assert!(text.contains("write redis:// in place of redis-cluster://"), "{text}");
    let part = server(&[("cluster-enabled", "yes")]).await;
    let (_, text) = refused(options(&part.url())).await;
    assert!(text.contains("write redis-cluster:// in place of redis://"), "{text}");
    let accepted =
        Options { accept_loss: true, ..options(&part.url().replace("redis://", "redis-cluster://")) };
    let (_, text) = refused(accepted).await;
    assert!(text.contains("slots that no master serves"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_there_is_told_with_the_address() {
    let port = onlyonce_testbed::process::Port::reserve();
    let (kind, text) = refused(options(&format!("redis://{}", port.addr()))).await;
    assert_eq!(kind, OpenErrorKind::Unreachable);
    assert!(text.contains(&port.addr().to_string()) && text.contains("does it run there"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_needs_a_certificate_that_is_trusted() {
    let authority = Authority::new();
    let certificate = Some(authority.certify(&["127.0.0.1"]));
    let server = Redis::start_with(redis::Options { certificate, ..redis::Options::default() }).await;
    let (kind, text) = refused(options(&server.tls_url())).await;
    assert_eq!(kind, OpenErrorKind::Unreachable);
    assert!(text.to_lowercase().contains("certificate"), "{text}");
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ca.pem");
    std::fs::write(&file, authority.pem()).unwrap();
    let begun = begin(&format!("{}?ca={}", server.tls_url(), file.display())).await;
    begun.run(&request(1)).await.complete(CREATED, "paid".into()).await.unwrap();
    assert_eq!(begun.replay(&request(1)).await, "paid");
}

/// Keys of one do not meet those of the other, and neither opens the other's identity.
#[tokio::test(flavor = "multi_thread")]
async fn two_namespaces_on_one_server_are_two_ledgers() {
    let server = Redis::start().await;
    let one = begin(&format!("{}?namespace=one", server.url())).await;
    let two = begin(&format!("{}?namespace=two", server.url())).await;
    one.run(&request(1)).await.complete(CREATED, "of one".into()).await.unwrap();
    two.run(&request(1)).await.complete(CREATED, "of two".into()).await.unwrap();
    assert_eq!(one.replay(&request(1)).await, "of one");
    assert_eq!(two.replay(&request(1)).await, "of two");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_layout_of_a_newer_version_is_refused() {
    let server = Redis::start().await;
    drop(begin(&server.url()).await);
    assert_eq!(server.ask("HGET {onlyonce:meta} layout").await, "1");
    server.ask("HSET {onlyonce:meta} layout 2").await;
    let (kind, text) = refused(options(&server.url())).await;
    assert_eq!(kind, OpenErrorKind::Newer);
    assert!(text.contains("use the version that wrote it"), "{text}");
}
