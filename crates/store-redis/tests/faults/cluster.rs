//! A Cluster that fails over, or moves its slots, while it is in use.

use onlyonce_ledger::{
    begin::{Look, Standing},
    store::{ErrorKind, Store},
};
use onlyonce_store_redis::Options;
use onlyonce_testbed::servers::{Cluster, Redis};

use crate::{
    begun::{Begun, CREATED, begin_with, options, request, until},
    load::Load,
};

/// A key of the shard that the tests below look at, and its hash tag.
const SHARD: u16 = 1;
const TAG: &str = "{onlyonce:01}";
/// The key of the ledger's own row, which alone has one key.
const META: &str = "{onlyonce:meta}";

async fn begin(cluster: &Cluster) -> Begun {
    begin_with(Options { accept_loss: true, ..options(&cluster.url()) }).await
}

/// What a fail-over cost is what start-up said that it may: claims that the promoted replica had not received. Here one is
/// lost for certain, because the replica was cut off; its owner writes it anew, and nobody runs it again.
#[tokio::test(flavor = "multi_thread")]
async fn a_fail_over_loses_what_start_up_has_announced_and_no_more() {
    let mut cluster = Cluster::start().await;
    let (one, two) = (begin(&cluster).await, begin(&cluster).await);
    let announced = "a fail-over of the Cluster loses what the promoted replica had not received";
    assert!(one.said.iter().any(|said| said.contains(announced)), "{:?}", one.said);

    // On all three masters, and with all replicas.
    let mut before = Vec::new();
    for key in 0..64 {
        before.push((request(key), one.run(&request(key)).await));
    }
    let mut ended = Vec::new();
    for (request, attempt) in before.drain(..32) {
        attempt.complete(CREATED, "paid".into()).await.unwrap();
        ended.push(request);
    }
    let old = cluster.master_of(TAG).await;
    until("every replica has caught up", async || caught_up(&cluster).await).await;

    // It stands still while it is cut off, so that it cannot connect again and get what it missed before the master dies.
    let replica = cluster.replica_of(old).await;
    cluster.node(replica).sigstop().await;
    cluster.node(old).ask("CLIENT KILL TYPE replica").await;
    let lost = one.run(&request(256 + SHARD)).await;
    cluster.node(old).kill9().await;
    cluster.node(replica).sigcont();
    cluster.failed_over(TAG, old).await;
    cluster.settled().await;

    // Exactly that one is missing.
    until("the others are served", async || {
        two.ledger.look_up(&request(SHARD), std::time::Duration::ZERO).await.is_ok()
    })
    .await;
    assert_eq!(two.state(&request(256 + SHARD)).await, "absent", "what was announced");
    for request in &ended {
        assert_eq!(two.replay(request).await, "paid");
    }
    for (request, _) in &before {
        assert_eq!(two.state(request).await, "in-progress, fence 1");
    }
    lost.complete(CREATED, "paid once".into()).await.unwrap();
    assert_eq!(two.replay(&request(256 + SHARD)).await, "paid once");
    for (request, attempt) in before {
        attempt.complete(CREATED, "paid".into()).await.unwrap();
        assert_eq!(two.replay(&request).await, "paid");
    }
}

/// Whether all that was written has reached every replica.
async fn caught_up(cluster: &Cluster) -> bool {
    let Some(url) = cluster.url().strip_prefix("redis-cluster://").map(str::to_owned) else { return false };
    let mut lagging = false;
    for node in url.split(',') {
        let client = redis::Client::open(format!("redis://{node}")).unwrap();
        let mut connection = client.get_connection().unwrap();
        let info: String = redis::cmd("INFO").arg("replication").query(&mut connection).unwrap();
        let value = |name: &str| info.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
        let Some(written) = value("master_repl_offset:") else { continue };
        let replica = value("slave0:");
        lagging |= replica.is_some_and(|replica| !replica.contains(&format!("offset={}", written.trim())));
    }
    !lagging
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fail_over_under_load_runs_nothing_twice_that_its_owner_lived_to_end() {
    let mut cluster = Cluster::start().await;
    let (one, two) = (begin(&cluster).await, begin(&cluster).await);
    let load = Load::start(&[&one, &two], 8);
    load.more(200).await;
    let old = cluster.master_of(TAG).await;
    cluster.node(old).kill9().await;
    cluster.failed_over(TAG, old).await;
    load.more(500).await;
    cluster.node(old).restart().await;
    cluster.settled().await;
    load.more(100).await;
    let counts = load.end().await;
    counts.hold_at(&one).await;
    counts.hold_at(&two).await;
}

/// While a master is gone, keys of the others are served.
#[tokio::test(flavor = "multi_thread")]
async fn a_master_that_stands_still_holds_up_its_own_keys_alone() {
    let mut cluster =
        Cluster::start_with(&[("cluster-node-timeout", "60000"), ("cluster-require-full-coverage", "no")])
            .await;
    let begun = begin(&cluster).await;
    let still = cluster.master_of(TAG).await;
    let mut others = Vec::new();
    for shard in 0..64 {
        if cluster.master_of(&format!("{{onlyonce:{shard:02x}}}")).await != still {
            others.push(shard);
        }
    }
    let held = begun.lead(&request(SHARD)).await;
    cluster.node(still).sigstop().await;
    let held = tokio::spawn(crate::begun::granted(held));
    for shard in &others {
        begun.run(&request(*shard)).await.complete(CREATED, "paid".into()).await.unwrap();
    }
    assert!(!held.is_finished(), "and they did not wait for it");
    cluster.node(still).sigcont();
    assert_eq!(held.await.unwrap().fence().0, 1);
}

/// `MOVED`, `ASK` and `TRYAGAIN`: a slot goes to another master and comes back, while its keys are in use.
#[tokio::test(flavor = "multi_thread")]
async fn slots_that_move_under_load_lose_nothing_and_run_nothing_twice() {
    let mut cluster = Cluster::start().await;
    let (one, two) = (begin(&cluster).await, begin(&cluster).await);
    let load = Load::start(&[&one, &two], 8);
    for shard in 0..12 {
        load.more(20).await;
        let tag = format!("{{onlyonce:{shard:02x}}}");
        let from = cluster.master_of(&tag).await;
        let masters = cluster.masters().await;
        let to = *masters.iter().find(|node| **node != from).unwrap();
        let migration = Migration::begin(&mut cluster, &tag, from, to).await;
        migration.take_keys(&mut cluster).await;
        load.more(20).await;
        // Those that came meanwhile.
        migration.take_keys(&mut cluster).await;
        migration.end(&mut cluster).await;
    }
    load.more(50).await;
    let counts = load.end().await;
    counts.hold_at(&one).await;
    counts.hold_at(&two).await;
    assert!(counts.effects().len() > 300);
    let mut seen = String::new();
    for number in 0..6 {
        seen += &cluster.node(number).ask("INFO errorstats").await;
    }
    for code in ["MOVED", "ASK", "TRYAGAIN"] {
        assert!(seen.contains(&format!("errorstat_{code}")), "no server ever answered {code}");
    }
}

/// What is there and cannot be looked at in the middle of a move is not taken for absent.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_whose_slot_is_on_the_move_is_never_taken_for_new() {
    let mut cluster = Cluster::start().await;
    let begun = begin(&cluster).await;
    begun.run(&request(SHARD)).await.complete(CREATED, "paid".into()).await.unwrap();
    let open = begun.run(&request(256 + SHARD)).await;
    let from = cluster.master_of(TAG).await;
    let to = *cluster.masters().await.iter().find(|node| **node != from).unwrap();
    let migration = Migration::begin(&mut cluster, TAG, from, to).await;
    assert_eq!(begun.replay(&request(SHARD)).await, "paid");
    migration.take_one_key(&mut cluster, &format!("{TAG}r:{}", "01".to_owned() + &"00".repeat(15))).await;
    let look = begun.ledger.look_up(&request(SHARD), std::time::Duration::ZERO).await;
    assert!(matches!(look, Ok(Look::Stands(Standing::Result { .. })) | Err(_)), "{look:?}");
    // It cannot be written while half of its keys are elsewhere, and is not given up.
    let complete = tokio::spawn(async move { open.complete(CREATED, "paid too".into()).await });
    migration.take_keys(&mut cluster).await;
    migration.end(&mut cluster).await;
    complete.await.unwrap().unwrap();
    assert_eq!(begun.replay(&request(SHARD)).await, "paid");
    assert_eq!(begun.replay(&request(256 + SHARD)).await, "paid too");
}

/// What was written counts once the replicas have it, and that is found out by a write of our own: which must not be one that
/// the move redirects.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_to_a_slot_on_the_move_is_confirmed_by_the_replicas() {
    let mut cluster = Cluster::start().await;
    let accepted = Options { accept_loss: true, ..options(&cluster.url()) };
    let begun = begin_with(Options { min_replicas: 1, ..accepted }).await;
    let replace = async || {
        let stands = begun.store.identity().await.unwrap().unwrap();
        begun.store.set_identity(Some(&stands), stands.clone()).await
    };
    let from = cluster.master_of(META).await;
    let to = *cluster.masters().await.iter().find(|node| **node != from).unwrap();
    cluster.node(from).ask(&format!("DEL {META}touch")).await;
    let migration = Migration::begin(&mut cluster, META, from, to).await;
    assert!(replace().await.unwrap(), "its key is still where it was");
    migration.take_keys(&mut cluster).await;
    assert!(replace().await.unwrap(), "its key is where the slot goes");
    migration.end(&mut cluster).await;
    assert!(replace().await.unwrap());
}

/// Nothing can be written there that replicas could be waited for by: how many have it is not known, whatever else it answers.
#[tokio::test(flavor = "multi_thread")]
async fn what_comes_to_a_server_without_a_slot_of_the_ledger_is_confirmed_by_nobody() {
    let mut cluster = Cluster::start().await;
    let from = cluster.master_of(META).await;
    let others: Vec<_> = cluster.masters().await.into_iter().filter(|node| *node != from).collect();
    let (to, third) = (others[0], others[1]);
    for shard in 0..=u8::MAX {
        let tag = format!("{{onlyonce:{shard:02x}}}");
        if cluster.master_of(&tag).await == to {
            let migration = Migration::begin(&mut cluster, &tag, to, from).await;
            migration.end(&mut cluster).await;
            // Whoever is asked knows it.
            migration.tell(&mut cluster, third).await;
        }
    }
    let accepted = Options { accept_loss: true, ..options(&cluster.url()) };
    let begun = begin_with(Options { min_replicas: 1, ..accepted }).await;
    let stands = begun.store.identity().await.unwrap().unwrap();
    let migration = Migration::begin(&mut cluster, META, from, to).await;
    migration.take_keys(&mut cluster).await;
    let replaced = begun.store.set_identity(Some(&stands), stands.clone()).await;
    assert_eq!(replaced.unwrap_err().kind(), ErrorKind::Unknown);
    migration.end(&mut cluster).await;
    assert!(begun.store.set_identity(Some(&stands), stands.clone()).await.unwrap(), "it has a slot now");
}

/// A slot on its way from one master to another.
struct Migration {
    slot: String,
    from: usize,
    to: usize,
    target: String,
    ids: (String, String),
}

impl Migration {
    async fn begin(cluster: &mut Cluster, tag: &str, from: usize, to: usize) -> Self {
        let slot = cluster.node(from).ask(&format!("CLUSTER KEYSLOT {tag}")).await;
        let ids = (cluster.node(from).ask("CLUSTER MYID").await, cluster.node(to).ask("CLUSTER MYID").await);
        let addr = cluster.node(to).addr();
        let target = format!("{} {}", addr.ip(), addr.port());
        ok(cluster.node(to), &format!("CLUSTER SETSLOT {slot} IMPORTING {}", ids.0)).await;
        ok(cluster.node(from), &format!("CLUSTER SETSLOT {slot} MIGRATING {}", ids.1)).await;
        Self { slot, from, to, target, ids }
    }

    async fn take_keys(&self, cluster: &mut Cluster) {
        loop {
            let keys = cluster.node(self.from).ask(&format!("CLUSTER GETKEYSINSLOT {} 100", self.slot)).await;
            let keys: Vec<_> = keys.lines().filter(|key| !key.is_empty()).collect();
            if keys.is_empty() {
                return;
            }
            let command = format!("MIGRATE {} \"\" 0 5000 KEYS {}", self.target, keys.join(" "));
            let answer = cluster.node(self.from).ask(&command).await;
            assert!(answer == "OK" || answer == "NOKEY", "{answer}");
        }
    }

    async fn take_one_key(&self, cluster: &mut Cluster, key: &str) {
        ok(cluster.node(self.from), &format!("MIGRATE {} {key} 0 5000", self.target)).await;
    }

    async fn end(&self, cluster: &mut Cluster) {
        for node in [self.to, self.from] {
            self.tell(cluster, node).await;
        }
    }

    async fn tell(&self, cluster: &mut Cluster, node: usize) {
        ok(cluster.node(node), &format!("CLUSTER SETSLOT {} NODE {}", self.slot, self.ids.1)).await;
    }
}

async fn ok(node: &Redis, command: &str) {
    assert_eq!(node.ask(command).await, "OK", "{command}");
}
